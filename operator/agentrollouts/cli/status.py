"""The verb for pipelines: `status`, whose exit status says how it went."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import typer

from agentrollouts.api.scalars import parse_duration
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.options import Agent, Context, Kubeconfig, Namespace
from agentrollouts.cli.overview import Scene
from agentrollouts.cli.session import Session, Target, session
from agentrollouts.cli.show import looks, summary

HEALTHY, FAILED, UNFINISHED, UNKNOWN = 0, 1, 2, 3
Standing = Literal["healthy", "failed", "unfinished"]


def status_command(
    agent: Agent,
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Wait until it is decided.")] = False,
    timeout: Annotated[
        str, typer.Option("--timeout", help="With --watch: wait at most so long, such as 30m or 2h.")
    ] = "1h",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """How a rollout stands, for pipelines.

    Exit status: 0 the wanted version serves, 1 it was rolled back or can't go on, 2 still on its way (with --watch: until
    the timeout), 3 it couldn't be found out.
    """
    try:
        limit = parse_duration(timeout).total_seconds()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from error

    async def run() -> int:
        async with session(Target(kubeconfig, context, namespace)) as api:
            code, drift = await _wait(api, agent, seconds=limit if watch else 0.0)
            for sentence in drift:
                typer.echo(f"  {sentence}")
            return code

    try:
        code = asyncio.run(run())
    except CommandError as error:
        raise CommandError(str(error), status=UNKNOWN) from error
    raise typer.Exit(code)


async def _wait(api: Session, agent: str, *, seconds: float) -> tuple[int, tuple[str, ...]]:
    """The exit status, and how the stable version drifted, which has no part in it. A line is printed for every change; without time there is one look."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    last = ""
    async for look in looks(api, agent):
        line = summary(look) if isinstance(look, Scene) else str(look)
        if line != last:
            typer.echo(line)
            last = line
        now = standing(look) if isinstance(look, Scene) else "unfinished"
        if now != "unfinished":
            return HEALTHY if now == "healthy" else FAILED, _drift(look)
        if loop.time() >= until:
            if seconds:
                typer.echo(f"not decided within {seconds:g} s", err=True)
            return UNFINISHED, _drift(look)
    raise AssertionError("unreachable: looks never ends")


def _drift(look: Scene | CommandError) -> tuple[str, ...]:
    return tuple(drift.message for drift in look.status.drift) if isinstance(look, Scene) else ()


def standing(scene: Scene) -> Standing:
    """Whether the version the Rollout asks for serves. A status about an older spec says nothing yet."""
    status, metadata = scene.status, scene.rollout["metadata"]
    if status.observed_generation < metadata.get("generation", 0):
        return "unfinished"
    if status.phase in ("RolledBack", "Degraded"):
        return "failed"
    manual = "manual" in (scene.rollout["spec"].get("strategy") or {})
    wanted = scene.rollout["spec"]["version"]
    serves = manual or (status.stable is not None and status.stable.version == wanted)
    return "healthy" if status.phase == "Healthy" and serves else "unfinished"
