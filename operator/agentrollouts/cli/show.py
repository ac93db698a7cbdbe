"""Verbs that look: list, get, history."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.listing import history_table, rollouts_table
from agentrollouts.cli.options import Agent, Context, Kubeconfig, Namespace, NoColor, Output
from agentrollouts.cli.overview import Scene, overview
from agentrollouts.cli.session import Session, Target, candidate_gate, session
from agentrollouts.cli.terminal import console, dump

PERIOD = 1.0
"""Seconds between two looks of `get --watch` and `status --watch`."""


def list_command(
    *,
    all_namespaces: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")
    ] = False,
    output: Output = None,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    no_color: NoColor = False,
) -> None:
    """All rollouts, one line each."""

    async def run() -> None:
        async with session(Target(kubeconfig, context, namespace)) as api:
            found = await api.rollouts(everywhere=all_namespaces)
            if output is not None:
                typer.echo(dump({"apiVersion": "v1", "kind": "List", "items": found}, output))
            elif found:
                console(no_color=no_color).print(
                    rollouts_table(found, now=datetime.now(UTC), namespaces=all_namespaces)
                )
            else:
                where = (
                    "anywhere" if all_namespaces else f"in namespace {api.namespace}; look everywhere with -A"
                )
                typer.echo(f"there is no Rollout {where}", err=True)

    asyncio.run(run())


def get_command(
    agent: Agent,
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing until Ctrl-C.")] = False,
    output: Output = None,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    no_color: NoColor = False,
) -> None:
    """One rollout: shares, checks, gate, what happened last."""

    async def run() -> None:
        async with session(Target(kubeconfig, context, namespace)) as api:
            if output is not None:
                typer.echo(dump(await api.rollout(agent), output))
            elif watch:
                await _follow(api, agent, console(no_color=no_color))
            else:
                console(no_color=no_color).print(overview(await scene_of(api, agent)))

    with suppress(KeyboardInterrupt):
        asyncio.run(run())


def history_command(
    agent: Agent,
    *,
    output: Output = None,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    no_color: NoColor = False,
) -> None:
    """How the last candidates fared, and who approved them."""

    async def run() -> None:
        async with session(Target(kubeconfig, context, namespace)) as api:
            raw = (await api.rollout(agent)).get("status") or {}
            status = RolloutStatus.model_validate(raw)
            if output is not None:
                typer.echo(dump(raw.get("history") or [], output))
            elif status.history:
                console(no_color=no_color).print(history_table(status, now=datetime.now(UTC)))
            else:
                typer.echo(f"{agent} has no history yet", err=True)

    asyncio.run(run())


async def scene_of(api: Session, agent: str) -> Scene:
    """Everything one screen shows, read now."""
    rollout = await api.rollout(agent)
    versions, gate = await asyncio.gather(api.versions(agent), _gate_of(api, candidate_gate(rollout)))
    return Scene(rollout=rollout, versions=versions, gate=gate, now=datetime.now(UTC))


async def looks(api: Session, agent: str, *, period: float = PERIOD) -> AsyncIterator[Scene | CommandError]:
    """The scene again and again. After the first one, a passing failure is a value: the next look may succeed."""
    seen = False
    while True:
        try:
            yield await scene_of(api, agent)
            seen = True
        except CommandError as error:
            if not (seen and error.passing):
                raise
            yield error
        await asyncio.sleep(period)


async def _gate_of(api: Session, name: str) -> dict[str, object] | None:
    found = await api.gate(name) if name else None
    return dict(found) if found is not None else None


async def _follow(api: Session, agent: str, screen: Console) -> None:
    if not screen.is_terminal:
        await follow_lines(api, agent)
        return
    shown = Group()
    with Live(console=screen, auto_refresh=False, vertical_overflow="visible") as live:
        async for look in looks(api, agent):
            if isinstance(look, Scene):
                shown = Group(overview(look, texts=False))
                live.update(shown, refresh=True)
            else:
                live.update(Group(shown, Text(f"\n{look}", "red")), refresh=True)


async def follow_lines(api: Session, agent: str) -> None:
    """For a pipe: a line whenever something changed."""
    last = ""
    async for look in looks(api, agent):
        line = summary(look) if isinstance(look, Scene) else str(look)
        if line != last:
            typer.echo(line)
            last = line


def summary(scene: Scene) -> str:
    """A rollout in one line, for logs."""
    status = scene.status
    shares = ", ".join(f"{arm.version} {arm.share / 100:g}%" for arm in status.shares if arm.share)
    drifted = ", ".join(drift.signal for drift in status.drift)
    return (
        f"{status.phase or 'Pending'}: {status.message}{f' [{shares}]' if shares else ''}"
        f"{f'; behaves otherwise than when accepted: {drifted}' if drifted else ''}"
    )
