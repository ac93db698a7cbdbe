"""score: the mean of a number between 0 and 1 that the agent reports, against the old version's and a fixed limit."""

from __future__ import annotations

from agentrollouts.api.check_kinds import tolerated
from agentrollouts.api.session_kinds import ScoreSpec
from agentrollouts.core.checks.means import Mean, mean_of, surely_above
from agentrollouts.core.checks.result import (
    CheckInput,
    CheckResult,
    Verdict,
    compares,
    part_of,
    short_of,
    unreported,
    worst,
)
from agentrollouts.core.counters import SCORE_SQUARES, SCORE_SUMS, SCORED_SESSIONS, SESSIONS
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of


def queries(spec: ScoreSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (SESSIONS, SCORED_SESSIONS, SCORE_SUMS, SCORE_SQUARES)


def judge(spec: ScoreSpec, given: CheckInput) -> CheckResult:
    """Only sessions that have the score count. A score nobody reports is unknown and not 0."""
    results = [_compared(spec, given)] if compares(spec.max_change, spec.limit) else []
    if spec.limit is not None:
        results.insert(0, _limited(spec, spec.limit / 10_000, given))
    return worst(given.name, results)


def _limited(spec: ScoreSpec, limit: float, given: CheckInput) -> CheckResult:
    n = _sessions(given.candidate, spec)
    missing = _missing(spec, given, (n, given.minimum_sessions), compared=False)
    if missing is not None:
        return missing
    mean = _mean(given.candidate, spec, n).value
    lower = spec.better == "lower"
    fails = mean > limit if lower else mean < limit
    toward = part_of(mean, limit) if lower else part_of(1 - mean, 1 - limit)
    reason = f"{spec.name} {mean:.3f} in {n:.0f} sessions, {'at most' if lower else 'at least'} {limit:g}"
    return CheckResult(given.name, Verdict.FAIL if fails else Verdict.PASS, reason, toward)


def _compared(spec: ScoreSpec, given: CheckInput) -> CheckResult:
    n = (_sessions(given.candidate, spec), _sessions(given.comparator, spec))
    missing = _missing(spec, given, n, compared=True)
    if missing is not None:
        return missing
    ours, theirs = _mean(given.candidate, spec, n[0]), _mean(given.comparator, spec, n[1])
    worse, better = (ours, theirs) if spec.better == "lower" else (theirs, ours)
    lost, allowed = worse.value - better.value, spec.max_change / 10_000
    reason = (
        f"{spec.name} {ours.value:.3f} in {ours.n:.0f} sessions against {theirs.value:.3f} in {theirs.n:.0f},"
        f" {spec.better} is better, allowed {allowed:g} worse"
    )
    toward = part_of(lost, allowed)
    if lost <= allowed:
        return CheckResult(given.name, Verdict.PASS, reason, toward)
    sure = surely_above(worse, better, shift=tolerated(spec, spec.max_change) / 10_000)
    return CheckResult(given.name, Verdict.FAIL if sure else Verdict.WARN, reason, toward)


def _missing(
    spec: ScoreSpec, given: CheckInput, n: tuple[float, float], *, compared: bool
) -> CheckResult | None:
    for query in (SCORED_SESSIONS, SCORE_SUMS, SCORE_SQUARES):
        missing = unreported(given, query, spec.name, compared=compared)
        if missing is not None:
            return missing
    return short_of(given, n, f"sessions with {spec.name}")


def _sessions(totals: Totals, spec: ScoreSpec) -> float:
    return sum_of(totals, SCORED_SESSIONS.metric, spec.name)


def _mean(totals: Totals, spec: ScoreSpec, n: float) -> Mean:
    return mean_of(totals, n, SCORE_SUMS, SCORE_SQUARES, spec.name)
