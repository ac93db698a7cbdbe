"""Whether what was tested is what runs: the condition Loaded of an AgentVersion. Pure."""

from __future__ import annotations

from datetime import datetime

from agentrollouts.api.conditions import Condition
from agentrollouts.core.conditions import condition
from agentrollouts.core.snapshot import Workload

LOADED = "Loaded"
"""The condition. True: the pods that say what they loaded have what was promised; Unknown: none says anything."""
MISMATCH = "DigestMismatch"


def loaded_condition(
    pods: Workload | None, promised: str, generation: int, now: datetime, before: tuple[Condition, ...]
) -> Condition:
    """One pod with another artifact is enough for False, whatever the others say.

    While pods come and go nobody says anything, and then the last word stands: it may be why they are gone.
    """
    status, reason, message = _found(pods, promised)
    serving = pods is not None and 0 < pods.desired <= pods.ready
    old = next((item for item in before if item.type == LOADED), None)
    if status is None and old is not None and not serving and old.observed_generation == generation:
        return old
    return condition(
        LOADED,
        status=status,
        reason=reason,
        message=message,
        generation=generation,
        now=now,
        before=before,
    )


def _found(pods: Workload | None, promised: str) -> tuple[bool | None, str, str]:
    loaded = pods.loaded if pods else None
    if loaded is not None and loaded.mismatch:
        return False, MISMATCH, f"{promised} was promised; {loaded.mismatch}"
    if loaded is not None and loaded.same:
        return True, "AsPromised", "the pods that say what they loaded have what was promised"
    return None, "NotReported", "no pod says what it loaded"
