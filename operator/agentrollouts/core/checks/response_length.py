"""responseLength: the mean length of the answers against the old version's. Longer and shorter are a change alike.

Agents report it as a fraction of a cap that both versions share, so only the ratio of the two means is used. It warns and
never fails: another length is no fault in itself.
"""

from __future__ import annotations

from agentrollouts.api.check_kinds import tolerated
from agentrollouts.api.session_kinds import ResponseLengthSpec
from agentrollouts.core.checks.means import Mean, mean_of, surely_above
from agentrollouts.core.checks.result import (
    CheckInput,
    CheckResult,
    Verdict,
    short_of,
    unreported,
)
from agentrollouts.core.counters import ANSWERED_SESSIONS, SESSION_LENGTH, SESSION_LENGTH_SQUARES, SESSIONS
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of


def queries(spec: ResponseLengthSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (SESSIONS, ANSWERED_SESSIONS, SESSION_LENGTH, SESSION_LENGTH_SQUARES)


def judge(spec: ResponseLengthSpec, given: CheckInput) -> CheckResult:
    """WARN when the mean moved by more than is allowed, and beyond noise by more than is tolerated.

    Only sessions with an answer count. Between what is allowed and certainty it passes, for more sessions decide.
    """
    for query in (ANSWERED_SESSIONS, SESSION_LENGTH, SESSION_LENGTH_SQUARES):
        missing = unreported(given, query)
        if missing is not None:
            return missing
    n = (
        sum_of(given.candidate, ANSWERED_SESSIONS.metric),
        sum_of(given.comparator, ANSWERED_SESSIONS.metric),
    )
    few = short_of(given, n, "answered sessions")
    if few is not None:
        return few
    ours, theirs = _mean(given.candidate, n[0]), _mean(given.comparator, n[1])
    if theirs.value == 0:
        some = ours.value > 0
        return CheckResult(
            given.name,
            Verdict.WARN if some else Verdict.PASS,
            f"the old version's answers are empty, the candidate's {'are not' if some else 'as well'}",
        )
    change, allowed = ours.value / theirs.value - 1, spec.max_change / 10_000
    reason = f"answers {change * 100:+.1f}% long in {ours.n:.0f} sessions against {theirs.n:.0f}, allowed ±{allowed * 100:g}%"
    sure = _surely_apart(ours, theirs, tolerated(spec, spec.max_change) / 10_000)
    # NB: by products, as everywhere: exactly the limit passes, which a quotient would miss by the last bit.
    within = theirs.value * (1 - allowed) <= ours.value <= theirs.value * (1 + allowed)
    return CheckResult(given.name, Verdict.WARN if sure and not within else Verdict.PASS, reason)


def _surely_apart(ours: Mean, theirs: Mean, tolerance: float) -> bool:
    longer = surely_above(ours, theirs, factor=1 + tolerance)
    # NB: by ``1 - tolerance`` of the old one, whose error shrinks with it; all of it tolerated leaves nothing to be shorter by.
    shorter = tolerance < 1 and surely_above(theirs, ours, factor=1 / (1 - tolerance))
    return longer or shorter


def _mean(totals: Totals, n: float) -> Mean:
    return mean_of(totals, n, SESSION_LENGTH, SESSION_LENGTH_SQUARES)
