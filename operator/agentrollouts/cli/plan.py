"""The verb `plan`: what a rollout would take, before it begins."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from agentrollouts.cli import quantities
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.options import Context, Kubeconfig, Namespace, NoColor
from agentrollouts.cli.picture import ASCII, UNICODE, picture
from agentrollouts.cli.plan_document import document
from agentrollouts.cli.session import Target
from agentrollouts.cli.subject import OLD, Subject, from_cluster, from_file
from agentrollouts.cli.terminal import console
from agentrollouts.cli.world_options import (
    Approval,
    Correlation,
    Cost,
    JsonOutput,
    Seed,
    Success,
    Tasks,
    Traffic,
    world_of,
)
from agentrollouts.planning.forecast import EFFECTS, Forecast, Spread, forecast
from agentrollouts.planning.limits import findings, limits, warnings
from agentrollouts.planning.run import NothingToPlanError
from agentrollouts.planning.spans import lasting

WIDTH = 80
PARALLEL = 40
"""Runs of one effect from which on several processes are worth their start."""
BUNDLE = 8
"""Runs handed to a process at a time."""

File = Annotated[
    str | None,
    typer.Argument(metavar="FILE", help="YAML with a Rollout; - is standard input.", show_default=False),
]
Plain = Annotated[bool, typer.Option("--plain", help="ASCII characters only, no colour.")]


def plan_command(
    file: File = None,
    *,
    agent: Annotated[
        str, typer.Option("--agent", help="Without FILE: this agent's Rollout in the cluster.")
    ] = "",
    prometheus: Annotated[
        str, typer.Option("--prometheus", metavar="URL", help="With --agent: measure its traffic there.")
    ] = "",
    traffic: Traffic = "",
    tasks: Tasks = None,
    success: Success = "",
    correlation: Correlation = None,
    cost: Cost = "",
    approval: Approval = "0s",
    horizon: Annotated[str, typer.Option("--horizon", help="How far ahead, such as 7d or 36h.")] = "7d",
    runs: Annotated[
        int, typer.Option("--runs", min=1, max=10_000, help="Simulated rollouts for each effect.")
    ] = 100,
    seed: Seed = 1,
    output: JsonOutput = None,
    plain: Plain = False,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    no_color: NoColor = False,
) -> None:
    """How long a promotion takes, how soon a regression is caught and what it costs until then; what limits it."""
    limit, takes = quantities.duration(horizon, "--horizon"), quantities.approval(approval)
    if file is None and not agent:
        raise CommandError("name a file with a Rollout, or an agent of the cluster with --agent", status=2)
    target = Target(kubeconfig, context, namespace)
    subject = from_file(file, agent) if file is not None else from_cluster(agent, target, prometheus)
    world = world_of(
        subject.measured, traffic=traffic, tasks=tasks, success=success, correlation=correlation, cost=cost
    )
    if sys.stderr.isatty():
        typer.echo(f"simulating {runs * len(EFFECTS)} rollouts …", err=True)
    try:
        with _spreading(runs) as spread:
            found = forecast(
                subject.spec,
                world,
                stable=subject.stable,
                runs=runs,
                seed=seed,
                horizon=limit,
                approval=takes,
                spread=spread,
            )
    except NothingToPlanError as error:
        raise CommandError(str(error)) from error
    if output is not None:
        typer.echo(json.dumps(document(subject.spec, found, seed=seed), indent=2, ensure_ascii=False))
        return
    screen = console(no_color=no_color or plain)
    for line in report(subject, found, seed=seed, plain=plain):
        screen.print(line)


@contextmanager
def _spreading(runs: int) -> Iterator[Spread]:
    """Over all processors, where that is worth it."""
    if runs < PARALLEL:
        yield map
        return
    with ProcessPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        yield partial(pool.map, chunksize=BUNDLE)


def report(subject: Subject, found: Forecast, *, seed: int, plain: bool) -> Iterator[Text]:
    """The whole screen, at most 80 characters wide."""
    spec, good = subject.spec, found.as_good
    for line in _assumed(subject, found):
        yield from _wrapped(line)
    yield Text()
    yield from picture(found, ASCII if plain else UNICODE)
    yield Text()
    if good is not None:
        yield from _wrapped(
            f"As good as the old version: {good.promoted:.0%} promoted, {good.rolled_back:.0%} rolled back by chance,"
            f" {good.paused:.0%} paused, {good.unfinished:.0%} undecided after {lasting(found.horizon)}."
        )
        for number, limit in enumerate(limits(good)):
            yield from _wrapped(
                ("" if number else "What limits it, on average: ") + limit.sentence, indent="  "
            )
    for warning in (*warnings(spec, found.world, found.horizon), *findings(spec, found)):
        yield from _wrapped(f"! {warning}", "yellow", indent="  ")
    yield Text()
    runs = found.prospects[0].runs
    yield from _wrapped(
        f"{runs} simulated rollouts for each line, seed {seed}, by the operator's own decisions. Sessions count once they"
        " close: add what your agent takes for that (AGENT_SESSION_IDLE_SECONDS, 10m unless set).",
        "dim",
    )


def _assumed(subject: Subject, found: Forecast) -> Iterator[str]:
    spec, world, applies = subject.spec, found.world, subject.spec.analysis.effective
    beside = "the old version" if subject.stable == OLD else subject.stable
    source = "measured over the last day" if subject.measured else "as given or assumed"
    tasks = f"{world.tasks_per_session} task" + ("" if world.tasks_per_session == 1 else "s")
    yield (
        f"{spec.agent} {spec.version} beside {beside}: {world.sessions_per_minute:.3g} sessions/min of {tasks},"
        f" {world.success * 100:.3g}% successful, correlation {world.correlation:.2g}, cost {world.cost * 100:.2g}% of the cap ({source})."
    )
    if applies.mode == "sequential":
        yield (
            f"Judged sequentially: at most {applies.false_rollback / 100:g}% false rollbacks, at most"
            f" {applies.false_promotion / 100:g}% false promotions, margin {applies.margin / 100:g} points."
        )
    else:
        yield (
            f"Judged by the quality gate (threshold mode): {applies.consecutive} failed looks in a row or"
            f" {applies.at_least} of {applies.out_of} roll back; no error budget applies."
        )


def _wrapped(text: str, style: str = "", *, indent: str = "") -> Iterator[Text]:
    for line in textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ):
        yield Text(line, style)
