"""What the shell itself found wrong with a Rollout, put into its conditions where people look. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from agentrollouts.api.conditions import Condition
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.conditions import condition
from agentrollouts.core.plan import PatchRolloutStatus, Plan


def stalled(
    status: RolloutStatus,
    problem: str,
    *,
    reason: str,
    generation: int,
    now: datetime,
    before: tuple[Condition, ...],
) -> RolloutStatus:
    """The status with the problem in its message and conditions; Available stays what it is, for traffic goes on."""
    rows = {"Ready": (False, problem), "Reconciling": (False, ""), "Stalled": (True, problem)}
    others = tuple(item for item in status.conditions if item.type not in rows)
    ours = tuple(
        condition(
            kind,
            status=value,
            reason=reason,
            message=text,
            generation=generation,
            now=now,
            before=before,
        )
        for kind, (value, text) in rows.items()
    )
    return status.model_copy(
        update={
            "observed_generation": generation,
            "phase": "Degraded",
            "message": problem[:4000],
            "conditions": (*ours, *others),
        }
    )


def with_status(plan: Plan, status: RolloutStatus, known: RolloutStatus) -> Plan:
    """The plan with another status in the place of its own, the last it writes; none where it is the known one."""
    actions = list(plan.actions)
    own = [number for number, action in enumerate(actions) if isinstance(action, PatchRolloutStatus)]
    at = own[-1] if own else len(actions)
    actions[at : at + 1] = () if status == known else (PatchRolloutStatus(status),)
    return replace(plan, actions=tuple(actions), status=status)
