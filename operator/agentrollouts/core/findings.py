"""What the status says of checks and circuit breakers: an entry changes when a verdict does, never because a number moved."""

from __future__ import annotations

from agentrollouts.api.findings import BreakerStatus, CheckStatus
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.breakers import run_breakers
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.decision import Decision, Start, Withdraw, is_urgent
from agentrollouts.core.evidence import Unavailable
from agentrollouts.core.snapshot import Snapshot


def checks_status(
    before: tuple[CheckStatus, ...], results: tuple[CheckResult, ...]
) -> tuple[CheckStatus, ...]:
    """The verdicts; the sentence is the one of the look that changed a verdict."""
    old = {check.name: check for check in before}
    return tuple(
        known
        if (known := old.get(result.name)) is not None and known.verdict == result.verdict
        else CheckStatus(name=result.name, verdict=result.verdict.value, reason=_told(result))
        for result in results[:32]
    )


def _told(result: CheckResult) -> str:
    return f"{'dry run: ' if result.dry_run else ''}{result.reason}"[:4000]


def breakers_status(
    snapshot: Snapshot, moved: RolloutStatus, decision: Decision
) -> tuple[BreakerStatus, ...]:
    """The breakers as the candidate's evidence has them; as they stood where the decision didn't wait for any.

    ``moved`` is the status after the decision: one that rolls back leaves them as they were, for the post-mortem.
    """
    blind = isinstance(snapshot.evidence, Unavailable) and is_urgent(decision)
    if snapshot.status.candidate is None or blind or isinstance(decision, (Start, Withdraw)):
        return moved.breakers
    old = {breaker.name: breaker for breaker in snapshot.status.breakers}
    return tuple(
        known
        if (known := old.get(result.name)) is not None and known.state == result.state
        else BreakerStatus(name=result.name, state=result.state, reason=result.reason[:4000])
        for result in run_breakers(snapshot)
    )
