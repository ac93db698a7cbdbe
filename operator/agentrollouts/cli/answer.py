"""Verbs that answer a gate: approve, reject."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.options import Context, Kubeconfig, Namespace
from agentrollouts.cli.session import Object, Session, Target, candidate_gate, session

Subject = Annotated[
    str, typer.Argument(metavar="AGENT|GATE", help="An agent whose candidate waits, or a gate's name.")
]
ANSWERABLE = ("", "Pending", "Open", "Withdrawn")


def approve_command(
    subject: Subject,
    *,
    comment: Annotated[
        str, typer.Option("--comment", help="What you want remembered with your approval.")
    ] = "",
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Give a candidate the share it waits for. You need the RBAC verb approve on approvalgates."""

    async def run() -> None:
        async with session(Target(kubeconfig, context, namespace)) as api:
            gate, user = await asyncio.gather(find_gate(api, subject), api.user())
            await api.annotate(gate, approval(gate, user=user, comment=comment))
            spec = gate["spec"]
            typer.echo(f"{user or 'you'} approved {spec['share']} for {spec['agent']} {spec['version']}")
            typer.echo(f"  {spec['artifactDigest']}")

    asyncio.run(run())


def reject_command(
    subject: Subject,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever made the version.")],
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Say no: the candidate is rolled back. You need the RBAC verb approve on approvalgates."""

    async def run() -> None:
        if not reason.strip():
            raise CommandError("say why with --reason: whoever made the version will read it")
        async with session(Target(kubeconfig, context, namespace)) as api:
            gate, user = await asyncio.gather(find_gate(api, subject), api.user())
            named = {"rejected-by": user} if user else {}
            await api.annotate(gate, {"reject": reason.strip(), **named})
            typer.echo(
                f"{user or 'you'} rejected {gate['spec']['agent']} {gate['spec']['version']}; it is rolled back"
            )

    asyncio.run(run())


def approval(gate: Object, *, user: str, comment: str) -> Mapping[str, str | None]:
    """The annotations of an approval: of this artifact by digest, so that it can't mean another.

    The name is written as well: a server with MutatingAdmissionPolicy overwrites it with what it knows, one without
    compares it. A second approver must change the value, or the server would see no answer.
    """
    annotations = gate["metadata"].get("annotations") or {}
    before = annotations.get("agentrollouts.io/approve", "")
    people = [
        name for name in annotations.get("agentrollouts.io/approved-by", "").split("\n") if name and before
    ]
    value = f"{gate['spec']['artifactDigest']} {comment}".strip()
    if value == before:
        if user in people:
            raise CommandError(
                f"{user} has approved {gate['metadata']['name']} already; it needs {_missing(gate, people)}"
            )
        value = f"{value} (approval {len(people) + 1})"
    named = {"approved-by": "\n".join(dict.fromkeys([*people, user]))} if user else {}
    return {"approve": value, **named}


def _missing(gate: Object, people: Sequence[str]) -> str:
    missing = int(gate["spec"].get("quorum", 1)) - len(people)
    return f"{missing} more from somebody else" if missing > 0 else "nobody else"


async def find_gate(api: Session, subject: str) -> Object:
    """The gate of that name, or the one the agent of that name waits at."""
    gate = await api.gate(subject)
    if gate is None:
        gate = await _gate_of_agent(api, subject)
    phase = (gate.get("status") or {}).get("phase", "")
    if phase not in ANSWERABLE:
        raise CommandError(f"gate {gate['metadata']['name']} is {phase} and takes no more answers")
    return gate


async def _gate_of_agent(api: Session, agent: str) -> Object:
    rollout = await api.rollout(agent)
    status = rollout.get("status") or {}
    name = candidate_gate(rollout)
    gate = await api.gate(name) if name else None
    if gate is not None:
        return gate
    waiting = [
        item for item in await api.gates() if (item.get("status") or {}).get("phase", "Pending") == "Pending"
    ]
    others = ", ".join(sorted(item["metadata"]["name"] for item in waiting)) or "none"
    raise CommandError(
        f"{agent} waits at no gate: it is {status.get('phase', 'Pending')}, {status.get('message', 'no message')}."
        f" Gates that wait in {api.namespace}: {others}"
    )
