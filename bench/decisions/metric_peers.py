"""Several metrics as dashboards and alerts judge them: fixed factors on sums since the start, candidate against control."""

from __future__ import annotations

from bench.decisions.metric_rollouts import Answer, MetricLook, MetricRule
from bench.decisions.metric_scenarios import EDGES
from bench.decisions.metric_streams import NOTHING, Row, Sums

ENOUGH = 100.0
"""Tasks of each cohort before anything is judged."""
FACTOR, POINTS, SHIFT, ASKEW = 1.2, 0.05, 0.15, 0.25
"""Cost and latency; success and refusals; tools; callers."""
RUN = 3
"""Looks in a row that the p95 is too high."""


def fixed_factors() -> MetricRule:
    """20 % dearer or slower at the p95 than before, 5 points worse, 15 points of the known tools elsewhere: a rollback."""
    usual, limit, slow = Sums.of(NOTHING), 0.0, 0

    def rule(look: MetricLook) -> Answer:
        nonlocal usual, limit, slow
        candidate, control, stable = (Sums.of(row) for row in look.seen.rows)
        if look.tick < 0:
            usual, limit = stable, FACTOR * interpolated(stable.below, stable.n, 0.95)
            return Answer("hold")
        if min(candidate.n, control.n) * look.size < ENOUGH:
            slow = 0
            return Answer("hold")
        slow = slow + 1 if interpolated(candidate.below, candidate.n, 0.95) > limit else 0
        share = look.seen.assigned[0] / (sum(look.seen.assigned) - usual.n)
        if abs(share - look.shares[0]) > ASKEW * look.shares[0]:
            return Answer("alert_split", "split")
        blame = _blame(candidate, control, usual, is_slow=slow >= RUN)
        return Answer("rollback", blame) if blame else Answer("hold")

    return rule


def _blame(candidate: Sums, control: Sums, usual: Sums, *, is_slow: bool) -> str | None:
    n, m = candidate.n, control.n
    moved = 0.5 * sum(
        abs(now / n - before / usual.n)
        for now, before in zip(candidate.tools, usual.tools, strict=True)
        if before > 0.0
    )
    found = {
        "success": candidate.success / n < control.success / m - POINTS,
        "cost": candidate.cost / n > FACTOR * control.cost / m,
        "latency": is_slow,
        "tools": moved > SHIFT,
        "refusal": candidate.refusals / n > control.refusals / m + POINTS,
    }
    return next((name for name, is_worse in found.items() if is_worse), None)


def interpolated(below: Row, n: float, share: float) -> float:
    """The quantile of a histogram as Prometheus' ``histogram_quantile`` has it; its last edge where it lies beyond."""
    rank, low, edge = share * n, 0.0, 0.0
    for high, upper in zip(below, EDGES, strict=True):
        if high >= rank:
            return edge + (upper - edge) * (rank - low) / max(high - low, 1e-9)
        low, edge = high, upper
    return edge
