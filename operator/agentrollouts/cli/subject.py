"""Which rollout a plan is about: one in a file, checked as `lint` does, or one of the cluster with its measured traffic."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.lint import sentence, text_of
from agentrollouts.cli.manifests import lint_text, objects
from agentrollouts.cli.session import Target, session
from agentrollouts.core.evidence import Accumulator, Cell, Series, Unavailable
from agentrollouts.planning.measured import QUERIES, Measured, measured
from agentrollouts.ports import AgentKey, MetricSource

OLD = "0.0.0"
"""What the old version is called where nobody knows which one serves."""
NEXT = "next"
"""Marks the version that is planned where the one the spec wants serves already."""
BACK = timedelta(hours=24)
"""How far back traffic is measured."""
YOUNG = timedelta(minutes=50)
"""An agent that was first seen within this time is measured over it alone."""
BEFORE = timedelta(minutes=5)
"""History before that, to find what each counter showed then."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A Rollout's spec, the version it starts beside, and what was measured of its agent, if anything was."""

    spec: RolloutSpec
    stable: str = OLD
    measured: Measured | None = None


def from_file(name: str, agent: str = "") -> Subject:
    """The Rollout in a file, of that agent where there are several; ``-`` is standard input.

    What `lint` finds wrong goes to standard output as there, and ends the command with status 1.
    """
    text = sys.stdin.read() if name == "-" else text_of(Path(name))
    where = "standard input" if name == "-" else name
    findings = lint_text(text).findings
    if findings:
        for finding in findings:
            typer.echo(sentence(where, finding))
        raise typer.Exit(1)
    found = objects(text)
    rollouts = [each for each in found if each["kind"] == "Rollout"]
    wanted = [each for each in rollouts if agent in ("", each["spec"]["agent"])]
    if len(wanted) == 1:
        return Subject(RolloutSpec.model_validate(wanted[0]["spec"]))
    if rollouts:
        names = ", ".join(each["spec"]["agent"] for each in rollouts)
        raise CommandError(f"expected one Rollout in {where}; it has those of {names}: name one with --agent")
    others = ", ".join(f"{each['kind']} {each['metadata']['name']}" for each in found)
    raise CommandError(f"expected a Rollout in {where}; it has {others or 'no object of agentrollouts.io'}")


def from_cluster(agent: str, target: Target, prometheus: str, *, now: datetime | None = None) -> Subject:
    """The agent's Rollout as the cluster has it, with the traffic of the last day where a Prometheus is named. Only reads."""
    until = now or datetime.now(UTC)

    async def run() -> Subject:
        async with session(target) as api:
            found = await api.rollout(agent)
            spec = RolloutSpec.model_validate(found["spec"])
            stable = RolloutStatus.model_validate(found.get("status") or {}).stable
            seen = await traffic_of(agent, api.namespace, prometheus, until) if prometheus else None
            if stable is not None and stable.version == spec.version:
                spec = spec.model_copy(update={"version": f"{stable.version.partition('-')[0]}-{NEXT}"})
            return Subject(spec, OLD if stable is None else stable.version, seen)

    return asyncio.run(run())


async def traffic_of(agent: str, namespace: str, url: str, until: datetime) -> Measured:
    """What the counters in a Prometheus say about the last day. Raises CommandError where they say nothing."""
    import httpx

    from agentrollouts.metrics.prometheus import PrometheusSource

    key = AgentKey(namespace, agent)
    async with httpx.AsyncClient() as client:
        source = PrometheusSource(url, client)
        since, series = until - BACK, await _series(source, key, until - BACK - BEFORE, until)
        if _first(series, since) > until - YOUNG:
            # NB: a day comes in steps of minutes, which is coarse for what began minutes ago; an hour comes sample by sample.
            since, series = until - YOUNG, await _series(source, key, until - YOUNG, until)
    found = of_series(series, since, until)
    if found is None:
        raise CommandError(
            f"Prometheus at {url} has no closed session of {agent} in {namespace} in the last day; say --traffic"
        )
    return found


async def _series(source: MetricSource, key: AgentKey, since: datetime, until: datetime) -> list[Series]:
    """What is measured, of one agent. Raises CommandError where it can't be read."""
    answers = await source.history(QUERIES, (key,), since=since, until=until)
    series: list[Series] = []
    for query in QUERIES:
        answer = answers[query]
        mine = answer if isinstance(answer, Unavailable) else answer.get(key, ())
        if isinstance(mine, Unavailable):
            raise CommandError(f"{mine.reason}. Say --traffic instead")
        series.extend(mine)
    return series


def _first(series: list[Series], otherwise: datetime) -> datetime:
    """When the earliest of the samples was taken."""
    moments = [each.points[0].time for each in series if each.points]
    return datetime.fromtimestamp(min(moments), UTC) if moments else otherwise


def of_series(series: list[Series], since: datetime, until: datetime) -> Measured | None:
    """From raw history that reaches back to before ``since``; versions and cohorts together. Without any session None."""
    sums = Accumulator(since=since.timestamp())
    sums.load(series)
    evidence = sums.evidence(until)
    # NB: an agent younger than a day had its traffic within its own time.
    minutes = (until - max(_first(series, since), since)) / timedelta(minutes=1)
    totals: dict[Cell, float] = {}
    for cells in evidence.total.values():
        for cell, amount in cells.items():
            totals[cell] = totals.get(cell, 0.0) + amount
    return measured(totals, minutes)
