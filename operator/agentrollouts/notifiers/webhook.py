"""A notice as JSON to any HTTP endpoint, signed as Standard Webhooks has it (standardwebhooks.com, version 1).

Three headers: ``webhook-id``, the same for every try of the same notice, ``webhook-timestamp``, Unix seconds of this try, and
``webhook-signature``, ``v1,`` and the base64 of HMAC-SHA256 over ``id.timestamp.body``. Libraries for many languages check it.
The document is described in docs/notifications.md. Fields may be added to it, and none changes its meaning or goes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from agentrollouts.api.base import API_VERSION, GROUP, SpecModel
from agentrollouts.api.scalars import format_time
from agentrollouts.notifiers.destinations import Destination
from agentrollouts.notifiers.words import commands, headline
from agentrollouts.ports import Notice


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent."""

    body: bytes
    headers: dict[str, str]


def document(notice: Notice) -> dict[str, Any]:
    """The notice as receivers get it. Shares are in percent. ``changedParts`` is null where it isn't known."""
    facts = notice.facts
    return {
        "apiVersion": f"{GROUP}/{API_VERSION}",
        "kind": "Notice",
        "id": facts.id,
        "happening": facts.happening,
        "time": format_time(facts.at),
        "namespace": notice.namespace,
        "rollout": notice.rollout,
        "agent": notice.agent,
        "attempt": facts.attempt,
        "headline": headline(notice),
        "reason": facts.reason,
        "message": facts.message,
        "candidate": {"version": facts.candidate, "digest": facts.candidate_digest},
        "stable": {"version": facts.stable, "digest": facts.stable_digest},
        "share": {"before": facts.share_before / 100, "after": facts.share_after / 100},
        "changedParts": None if facts.changed is None else list(facts.changed),
        "changes": list(facts.changes),
        "diff": facts.diff,
        "findings": [
            {"name": finding.name, "verdict": finding.verdict, "reason": finding.reason}
            for finding in facts.findings
        ],
        "rationale": facts.rationale,
        "commands": list(commands(notice)),
    }


def compose(notice: Notice, spec: SpecModel, to: Destination, *, now: int) -> Letter:
    """The request at Unix time ``now``."""
    body = json.dumps(document(notice), separators=(",", ":")).encode()
    headers = {
        "content-type": "application/json",
        "webhook-id": notice.facts.id,
        "webhook-timestamp": str(now),
    }
    if to.key:
        headers["webhook-signature"] = signature(to.key, notice.facts.id, now, body)
    if to.authorization:
        headers["authorization"] = to.authorization
    return Letter(body, headers)


def signature(key: bytes, identity: str, now: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    signed = hmac.new(key, f"{identity}.{now}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
