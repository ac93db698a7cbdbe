"""Verbs that ask for something: pause, resume, abort, retry, undo. Each is one annotation on the Rollout."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.api.scalars import format_time
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.options import Agent, Context, Kubeconfig, Namespace
from agentrollouts.cli.session import Object, Target, session
from agentrollouts.cli.words import percent

Request = Callable[[Object, RolloutStatus, datetime], tuple[Mapping[str, str | None], str]]
"""The annotations to set on a Rollout, and what that will do; a CommandError where it would do nothing."""


def pause_command(
    agent: Agent, *, namespace: Namespace = "", context: Context = "", kubeconfig: Kubeconfig = ""
) -> None:
    """Hold the candidate at its present share. Rollbacks still happen."""
    _ask(agent, pausing, Target(kubeconfig, context, namespace))


def resume_command(
    agent: Agent, *, namespace: Namespace = "", context: Context = "", kubeconfig: Kubeconfig = ""
) -> None:
    """Go on after a pause."""
    _ask(agent, resuming, Target(kubeconfig, context, namespace))


def abort_command(
    agent: Agent,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the history.")] = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Take the candidate out now: all traffic to the stable version."""
    _ask(agent, lambda *seen: aborting(*seen, reason=reason), Target(kubeconfig, context, namespace))


def retry_command(
    agent: Agent, *, namespace: Namespace = "", context: Context = "", kubeconfig: Kubeconfig = ""
) -> None:
    """Try a version again that was taken out, or came to no verdict before traffic."""
    _ask(agent, retrying, Target(kubeconfig, context, namespace))


def undo_command(
    agent: Agent, *, namespace: Namespace = "", context: Context = "", kubeconfig: Kubeconfig = ""
) -> None:
    """Go back to the previous version at once, while it is still warm."""
    _ask(agent, undoing, Target(kubeconfig, context, namespace))


def _ask(agent: str, request: Request, target: Target) -> None:
    async def run() -> None:
        async with session(target) as api:
            rollout = await api.rollout(agent)
            status = RolloutStatus.model_validate(rollout.get("status") or {})
            annotations, effect = request(rollout, status, datetime.now(UTC))
            await api.annotate(rollout, annotations)
            typer.echo(f"{agent}: {effect}")

    asyncio.run(run())


def pausing(rollout: Object, status: RolloutStatus, now: datetime) -> tuple[Mapping[str, str | None], str]:
    """Pausing without a candidate is allowed: the next one then waits at its first share."""
    where = (
        f"{status.candidate.version} holds at {percent(status.candidate.share)}"
        if status.candidate
        else "nothing is on its way; the next version will hold at its first share"
    )
    return {"paused": "true"}, f"{where} until `agentrollout resume {rollout['metadata']['name']}`"


def resuming(rollout: Object, status: RolloutStatus, now: datetime) -> tuple[Mapping[str, str | None], str]:
    """Ends a pause asked for by annotation, and one the operator made by itself."""
    if rollout["spec"].get("paused"):
        raise CommandError(
            f"{rollout['metadata']['name']} is paused by its own manifest; set spec.paused to false there instead"
        )
    return {"paused": None, "resume": format_time(now)}, "goes on"


def aborting(
    rollout: Object, status: RolloutStatus, now: datetime, *, reason: str
) -> tuple[Mapping[str, str | None], str]:
    """Only a candidate can be aborted."""
    if status.candidate is None:
        serving = f"{status.stable.version} serves" if status.stable else "no version serves yet"
        raise CommandError(f"nothing to abort: {rollout['metadata']['name']} has no candidate, {serving}")
    token = f"{format_time(now)} {reason}".strip()[:256]
    stable = status.stable.version if status.stable else "the stable version"
    return {"abort": token}, f"{status.candidate.version} is taken out, all traffic goes to {stable}"


def retrying(rollout: Object, status: RolloutStatus, now: datetime) -> tuple[Mapping[str, str | None], str]:
    """Only what was taken out and is still wanted, or waits without a verdict, can be tried again."""
    wanted, candidate = rollout["spec"]["version"], status.candidate
    if candidate is not None and any(proof.verdict == "INVALID" for proof in candidate.proofs):
        return {"retry": format_time(now)}, f"{candidate.version} is proven anew before it gets any traffic"
    if status.rejected is None or status.rejected.version != wanted:
        raise CommandError(f"nothing to retry: {wanted}, the version the Rollout asks for, was not taken out")
    return {"retry": format_time(now)}, f"{wanted} starts again from its first share"


def undoing(rollout: Object, status: RolloutStatus, now: datetime) -> tuple[Mapping[str, str | None], str]:
    """Only while the previous version is warm; afterwards it would be a rollout like any other."""
    name, previous = rollout["metadata"]["name"], status.previous
    if previous is None:
        raise CommandError(f"nothing to undo: {name} has no previous version")
    if now >= previous.warm_until:
        raise CommandError(
            f"{previous.version} is no longer warm; to go back to it, set spec.version to {previous.version}"
        )
    return {"undo": format_time(now)}, f"all traffic goes back to {previous.version}"
