"""Whether the admission policies that guard approvals are in force. Without them anybody who may annotate may approve.

Only the validating ones are looked for. They compare each written name with the one the API server knows, so a name is
true whoever wrote it: the server itself by a mutating policy (from 1.36 on), or the approver by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from agentrollouts.kube.connection import Channel, Request

GROUP = "/apis/admissionregistration.k8s.io"


async def installed_policies(connection: Channel, names: Iterable[str]) -> bool:
    """Whether every named validating policy has at least one binding that denies. No names ask for nothing and are True.

    Raises:
        TransientError: the server didn't answer.
        TerminalError: the operator may not read the policies.
    """
    wanted = frozenset(names)
    if not wanted:
        return True
    policies, bindings = await asyncio.gather(
        connection.find(Request("GET", f"{GROUP}/v1/validatingadmissionpolicies")),
        connection.find(Request("GET", f"{GROUP}/v1/validatingadmissionpolicybindings")),
    )
    existing = {item["metadata"]["name"] for item in (policies or {}).get("items") or ()}
    bound = {
        item["spec"].get("policyName")
        for item in (bindings or {}).get("items") or ()
        if _denies(item["spec"])
    }
    return wanted <= existing & bound


def _denies(spec: Mapping[str, Any]) -> bool:
    """One that only warns or audits guards nothing."""
    return "Deny" in spec.get("validationActions", ())
