"""How soon a rollout is looked at again: sooner where the numbers have begun to speak against a candidate."""

from __future__ import annotations

from datetime import timedelta

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core import tuning
from agentrollouts.core.again import cool_until
from agentrollouts.core.breakers import run_breakers
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.monitor.watch import is_watched
from agentrollouts.core.snapshot import Snapshot

IDLE = timedelta(minutes=5)
"""How often a rollout nobody touches is looked at, against events that got lost."""
CLOSELY = timedelta(seconds=1)
"""How often a candidate is looked at whose numbers have begun to speak against it, whatever the interval."""
ATTENTION = 1 / 3
"""From here on the way to a failure they have begun to. What goes wrong shortly before a look shows only its beginning there."""


def requeue_after(snapshot: Snapshot, results: tuple[CheckResult, ...], status: RolloutStatus) -> timedelta:
    """When to look again without an event, at a rollout that has ``status`` now."""
    if status.candidate is not None:
        interval, before = snapshot.spec.analysis.interval, snapshot.status.candidate
        if before is not None and before.proofs != status.candidate.proofs:
            return min(interval, CLOSELY)
        return min(interval, CLOSELY) if _toward_failure(snapshot, results) >= ATTENTION else interval
    moments = [status.previous.warm_until] if status.previous else []
    if status.rejected:
        moments.append(status.rejected.drain_until)
    if cool := cool_until(status, snapshot.spec.rollback.cool_down):
        moments.append(cool)
    waits = [moment - snapshot.now for moment in moments if moment > snapshot.now]
    if is_watched(snapshot.spec, status):
        waits.append(snapshot.spec.monitor.interval)
    return min([IDLE, *waits])


def _toward_failure(snapshot: Snapshot, results: tuple[CheckResult, ...]) -> float:
    """How far the worst of what may take the candidate out is on the way there, from 0 to 1."""
    breakers = (result.toward_tripping for result in run_breakers(snapshot))
    checks = (result.toward_failure for result in results if not result.dry_run)
    return max((tuning.toward_failure(snapshot), *checks, *breakers))
