"""A bundle as the ledger keeps it: one JSON object for a person, or for whoever writes the next version. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agentrollouts.ports import Bundle


def document(bundle: Bundle, failed_tasks: Sequence[str]) -> bytes:
    """The JSON, keys sorted. ``failed_tasks`` are ids of the ledger's tasks, the newest first."""
    facts = bundle.facts.model_dump(mode="json", by_alias=True, exclude_none=True)
    decision = {"action": "Rollback", **{name: facts.pop(name) for name in ("reason", "message", "at")}}
    content = {
        "namespace": bundle.namespace,
        "rollout": bundle.rollout,
        "uid": bundle.uid,
        "agent": bundle.agent,
        "candidate": {"version": facts.pop("version"), "digest": facts.pop("digest")},
        "stable": {"version": facts.pop("stable"), "digest": facts.pop("stableDigest")},
        "decision": decision,
        "failedTasks": list(failed_tasks),
        **facts,
    }
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def is_same(kept: Any, bundle: Bundle) -> bool:
    """Whether what is kept is about the very rollback, although it may name other tasks: more had arrived, or fewer."""
    if not isinstance(kept, Mapping):
        return False
    decision = kept.get("decision")
    at = decision.get("at") if isinstance(decision, Mapping) else None
    wanted = bundle.facts.model_dump(mode="json", by_alias=True)
    return (kept.get("uid"), kept.get("attempt"), at) == (bundle.uid, bundle.facts.attempt, wanted["at"])
