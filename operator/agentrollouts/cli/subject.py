"""Which rollout a plan is about: one in a file, checked as `lint` does, or one of the cluster with its measured traffic."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from agentrollouts.api.rollout import RolloutSpec, RolloutStatus
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.lint import sentence, text_of
from agentrollouts.cli.manifests import lint_text, objects
from agentrollouts.cli.session import Target, session
from agentrollouts.core.evidence import Accumulator, Cell, Series, Unavailable
from agentrollouts.planning.measured import QUERIES, Measured, measured

OLD = "0.0.0"
"""What the old version is called where nobody knows which one serves."""
BACK = timedelta(hours=24)
"""How far back traffic is measured."""
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
            return Subject(spec, OLD if stable is None else stable.version, seen)

    return asyncio.run(run())


async def traffic_of(agent: str, namespace: str, url: str, until: datetime) -> Measured:
    """What the counters in a Prometheus say about the last day. Raises CommandError where they say nothing."""
    import httpx

    from agentrollouts.metrics.prometheus import PrometheusSource
    from agentrollouts.ports import AgentKey

    key, since = AgentKey(namespace, agent), until - BACK
    async with httpx.AsyncClient() as client:
        answers = await PrometheusSource(url, client).history(
            QUERIES, (key,), since=since - BEFORE, until=until
        )
    series: list[Series] = []
    for query in QUERIES:
        answer = answers[query]
        mine = answer if isinstance(answer, Unavailable) else answer.get(key, ())
        if isinstance(mine, Unavailable):
            raise CommandError(f"{mine.reason}. Say --traffic instead")
        series.extend(mine)
    found = of_series(series, since, until)
    if found is None:
        raise CommandError(
            f"Prometheus at {url} has no closed session of {agent} in {namespace} in the last day; say --traffic"
        )
    return found


def of_series(series: list[Series], since: datetime, until: datetime) -> Measured | None:
    """From raw history that reaches back to before ``since``; versions and cohorts together. Without any session None."""
    sums = Accumulator(since=since.timestamp())
    sums.load(series)
    evidence = sums.evidence(until)
    first = min((each.points[0].time for each in series if each.points), default=since.timestamp())
    # NB: an agent younger than a day had its traffic within its own time.
    minutes = (until.timestamp() - max(first, since.timestamp())) / 60.0
    totals: dict[Cell, float] = {}
    for cells in evidence.total.values():
        for cell, amount in cells.items():
            totals[cell] = totals.get(cell, 0.0) + amount
    return measured(totals, minutes)
