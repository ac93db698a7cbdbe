"""Self-tuning: the share follows the failure rate over the last outcomes, between hard rails."""

from __future__ import annotations

from agentrollouts.api.scalars import format_percent
from agentrollouts.core.checks.result import part_of
from agentrollouts.core.counters import TASKS
from agentrollouts.core.decision import Advance, Hold, Rollback
from agentrollouts.core.evidence import Unavailable, sum_of
from agentrollouts.core.snapshot import Snapshot


def _outcomes(snapshot: Snapshot) -> tuple[float, float] | None:
    """(failed, all) outcomes of the candidate in the window; None without evidence, or where nothing tunes itself by them."""
    evidence, candidate = snapshot.evidence, snapshot.status.candidate
    if snapshot.spec.strategy.self_tuning is None or isinstance(evidence, Unavailable) or candidate is None:
        return None
    totals = evidence.pooled(candidate.version, recent=True)
    return sum_of(totals, TASKS.metric, "failure"), sum_of(totals, TASKS.metric)


def toward_failure(snapshot: Snapshot) -> float:
    """How far the failure rate is on the way to the limit, from 0 to 1; 0 without enough outcomes."""
    tuning, outcomes = snapshot.spec.strategy.self_tuning, _outcomes(snapshot)
    if tuning is None or outcomes is None or outcomes[1] < tuning.minimum_samples:
        return 0.0
    return part_of(outcomes[0] / outcomes[1], tuning.rollback_above / 10_000)


def rollback(snapshot: Snapshot) -> Rollback | Advance | Hold | None:
    """Straight to the floor when the failure rate is above the limit; a floor above zero keeps that share and goes on looking."""
    tuning, candidate = snapshot.spec.strategy.self_tuning, snapshot.status.candidate
    outcomes = _outcomes(snapshot)
    if tuning is None or candidate is None or outcomes is None:
        return None
    failed, n = outcomes
    if n < tuning.minimum_samples or failed * 10_000 <= tuning.rollback_above * n:
        return None
    message = f"failure rate {failed / n:.3f} of the last {n:.0f} outcomes is above {format_percent(tuning.rollback_above)}"
    if tuning.floor == 0:
        return Rollback("FailureRate", message)
    if candidate.share > tuning.floor:
        return Advance(candidate.step + 1, tuning.floor, n, "Floor", message)
    return Hold("AtFloor", message)


def blocked(snapshot: Snapshot) -> Hold | None:
    """Why the share may not grow yet."""
    tuning, candidate = snapshot.spec.strategy.self_tuning, snapshot.status.candidate
    outcomes = _outcomes(snapshot)
    assert tuning is not None and candidate is not None and outcomes is not None
    failed, n = outcomes
    if n < tuning.minimum_samples:
        return Hold(
            "TooFewSamples",
            f"not enough traffic yet: {n:.0f} of {tuning.minimum_samples} outcomes",
            no_evidence=True,
        )
    if failed * 10_000 >= tuning.promote_below * n:
        return Hold(
            "FailureRate",
            f"failure rate {failed / n:.3f} of the last {n:.0f} outcomes is not below {format_percent(tuning.promote_below)}",
        )
    if candidate.share >= tuning.ceiling:
        return Hold("AtCeiling", f"the ceiling of {format_percent(tuning.ceiling)} is reached")
    return None


def next_share(snapshot: Snapshot) -> int:
    """The share after the present one: the start, then at most ``maxStep`` more, never above the ceiling."""
    tuning, candidate = snapshot.spec.strategy.self_tuning, snapshot.status.candidate
    assert tuning is not None and candidate is not None
    if candidate.share == 0:
        return min(tuning.start, tuning.ceiling)
    return min(tuning.ceiling, candidate.share + tuning.max_step)
