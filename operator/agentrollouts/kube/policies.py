"""Whether the admission policies that guard approvals are in force. Without them anybody who may annotate may approve."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from agentrollouts.kube.connection import Channel, Request

GROUP = "/apis/admissionregistration.k8s.io"


async def installed_policies(
    connection: Channel, *, validating: Iterable[str], mutating: Iterable[str] = ()
) -> bool:
    """Whether every named policy has at least one binding that denies. Empty names ask for nothing and are True.

    Mutating policies are looked for in v1 and then v1beta1: servers from 1.34 to 1.35 have only the latter.

    Raises:
        TransientError: the server didn't answer.
        TerminalError: the operator may not read the policies.
    """
    validating, mutating = frozenset(validating), frozenset(mutating)
    answers = await asyncio.gather(
        _in_force(connection, "v1", "validatingadmissionpolic", validating),
        _mutating_in_force(connection, mutating),
    )
    return all(answers)


async def _mutating_in_force(connection: Channel, names: frozenset[str]) -> bool:
    for version in ("v1", "v1beta1"):
        if await _in_force(connection, version, "mutatingadmissionpolic", names):
            return True
    return False


async def _in_force(connection: Channel, version: str, stem: str, names: frozenset[str]) -> bool:
    if not names:
        return True
    policies = await connection.find(Request("GET", f"{GROUP}/{version}/{stem}ies"))
    bindings = await connection.find(Request("GET", f"{GROUP}/{version}/{stem}ybindings"))
    existing = {item["metadata"]["name"] for item in (policies or {}).get("items") or ()}
    bound = {
        item["spec"].get("policyName")
        for item in (bindings or {}).get("items") or ()
        if _denies(item["spec"])
    }
    return names <= existing & bound


def _denies(spec: Mapping[str, Any]) -> bool:
    """Mutating bindings have no actions; a validating one that only warns or audits guards nothing."""
    return "validationActions" not in spec or "Deny" in spec["validationActions"]
