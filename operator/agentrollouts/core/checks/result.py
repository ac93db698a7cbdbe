"""What a check is given and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from agentrollouts.core.asked import Told
from agentrollouts.core.evidence import CounterQuery, Totals, Unavailable
from agentrollouts.core.statistics import Interval, Proportion, difference

_NO_QUERY = Unavailable("the check has no query of its own")


class Verdict(StrEnum):
    """INCONCLUSIVE is an answer of its own: no data is never a pass and never a failure."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    WARN = "WARN"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class CheckInput:
    """The candidate's sums, the old version's over the same time, and how much is enough."""

    name: str
    candidate: Totals
    comparator: Totals
    minimum_sessions: int
    """Sessions of each version before the check speaks; tasks, where it counts tasks."""
    margin: int = 500
    """``spec.analysis.margin`` in basis points: what a success rate may lose where the check itself doesn't say."""
    told: Told | Unavailable = _NO_QUERY
    """What the check's own query says, where it has one."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A verdict with the sentence a person reads."""

    name: str
    verdict: Verdict
    reason: str = ""
    toward_failure: float = 0.0
    """How far the numbers are on the way to a FAIL: 0 not at all, 1 there. It decides nothing but when to look again."""
    dry_run: bool = False
    missing: bool = False
    """Whether nothing was measured at all, rather than too little."""
    adds_up: bool = False
    """Whether a failure is beyond a limit and not beyond chance: one alone takes nobody out, in any mode."""

    def as_dry_run(self) -> CheckResult:
        """The same verdict, shown and never acted on."""
        return replace(self, dry_run=True)

    @property
    def fails(self) -> bool:
        """Whether this speaks against the candidate: alone in sequential mode, by the quality gate in threshold mode."""
        return self.verdict is Verdict.FAIL and not self.dry_run

    @property
    def blocks(self) -> bool:
        """Whether the candidate may not advance while this stands, in sequential mode."""
        return self.verdict is not Verdict.PASS and not self.dry_run


_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.WARN, Verdict.PASS)


def worst(name: str, results: Iterable[CheckResult]) -> CheckResult:
    """One answer from several limits on one thing: a failure stands whatever else is unknown. Needs at least one."""
    parts = list(results)
    verdict = min((part.verdict for part in parts), key=_WORST_FIRST.index)
    reason = "; ".join(part.reason for part in parts if part.reason)
    return CheckResult(name, verdict, reason, max(part.toward_failure for part in parts))


def percent(fraction: float) -> str:
    """A fraction for people, with one decimal."""
    return f"{fraction * 100:.1f}%"


def too_few(name: str, seen: float, needed: int, what: str = "tasks of the candidate") -> CheckResult:
    """The answer while there is not enough evidence."""
    return CheckResult(name, Verdict.INCONCLUSIVE, f"{seen:.0f} of {needed} {what}")


def short_of(given: CheckInput, n: tuple[float, float], unit: str = "tasks") -> CheckResult | None:
    """The answer while the candidate's or the old version's ``n`` is below the minimum; None when both suffice."""
    for seen, whose in zip(n, ("of the candidate", "of the old version"), strict=True):
        if seen < given.minimum_sessions:
            return too_few(given.name, seen, given.minimum_sessions, f"{unit} {whose}")
    return None


def unreported(
    given: CheckInput, query: CounterQuery, *values: str, compared: bool = True
) -> CheckResult | None:
    """The answer where the candidate, or what it is compared with, doesn't report a counter at all; None when they do.

    Agents create every series at zero, so a series that isn't there is one nobody counts: unknown, and not 0.
    """
    asked = ((given.candidate, "the candidate"), (given.comparator, "the old version"))
    for totals, whose in asked if compared else asked[:1]:
        lacking = lacks(totals, query, *values)
        if lacking:
            return CheckResult(given.name, Verdict.INCONCLUSIVE, f"{whose} doesn't report {lacking}")
    return None


def lacks(totals: Totals, query: CounterQuery, *values: str) -> str:
    """The series that isn't there, as people write it; empty when it is. Any value of the label will do where none is named."""
    known = {cell.value for cell in totals if cell.metric == query.metric}
    if values:
        lacking = [value for value in values if value not in known]
        return f'{query.metric}{{{query.dimension}="{lacking[0]}"}}' if lacking else ""
    return "" if known else query.metric


def judge_limit(given: CheckInput, *, bad: float, n: float, limit: int, reason: str) -> CheckResult:
    """``bad`` of ``n`` events against a fixed limit in basis points. Exactly the limit passes; needs n > 0."""
    verdict = Verdict.FAIL if bad * 10_000 > limit * n else Verdict.PASS
    return CheckResult(given.name, verdict, reason, toward_failure=part_of(bad / n, limit / 10_000))


def part_of(amount: float, whole: float) -> float:
    """The fraction that an amount is of the whole, from 0 to 1; all of it when the whole is nothing."""
    return min(1.0, max(0.0, amount / whole)) if whole > 0 else float(amount > 0)


def judge_increase(
    given: CheckInput,
    *,
    bad: tuple[Proportion, Proportion],
    allowed: float,
    what: str,
    tolerance: float = 0.0,
    unit: str = "tasks",
) -> CheckResult:
    """Candidate's bad share against the old version's: FAIL only when it is above the allowance and beyond noise.

    ``bad`` is (candidate, comparator), ``allowed`` and ``tolerance`` are fractions; beyond noise is more than the tolerance
    with the whole interval. Between the allowance and certainty the verdict is WARN, and more evidence decides.
    """
    candidate, comparator = bad
    few = short_of(given, (candidate.n, comparator.n), unit)
    if few is not None:
        return few
    gap = difference(candidate, comparator)
    toward = part_of(gap.estimate - tolerance, gap.estimate - gap.low) if gap.estimate > allowed else 0.0
    return CheckResult(
        given.name, _verdict(gap, allowed, tolerance), _sentence(bad, gap, allowed, what), toward
    )


def judge_share(
    given: CheckInput,
    *,
    bad: tuple[Proportion, Proportion],
    allowed: int,
    tolerance: int,
    limit: int | None,
    what: str,
    unit: str = "tasks",
) -> CheckResult:
    """A bad share against the old version's and, where there is one, a fixed limit; all in basis points."""
    results: list[CheckResult] = []
    candidate = bad[0]
    if limit is not None:
        few = short_of(given, (candidate.n, given.minimum_sessions), unit)
        reason = (
            f"{what} {percent(candidate.hits / candidate.n)} of {candidate.n:.0f}, at most {percent(limit / 10_000)}"
            if candidate.n
            else ""
        )
        results.append(
            few or judge_limit(given, bad=candidate.hits, n=candidate.n, limit=limit, reason=reason)
        )
    if compares(allowed, limit):
        compared = judge_increase(
            given, bad=bad, allowed=allowed / 10_000, tolerance=tolerance / 10_000, what=what, unit=unit
        )
        results.append(compared)
    return worst(given.name, results)


def compares(allowed: int, limit: int | None) -> bool:
    """Whether there is anything to compare, or a fixed limit alone; an increase of 100 points is never exceeded."""
    return limit is None or allowed < 10_000


def _verdict(gap: Interval, allowed: float, tolerance: float) -> Verdict:
    if gap.estimate <= allowed:
        return Verdict.PASS
    return Verdict.FAIL if gap.low > tolerance else Verdict.WARN


def _sentence(bad: tuple[Proportion, Proportion], gap: Interval, allowed: float, what: str) -> str:
    candidate, comparator = bad
    return (
        f"{what} {percent(candidate.rate)} of {candidate.n:.0f} against {percent(comparator.rate)} of {comparator.n:.0f}:"
        f" {gap.estimate * 100:+.1f} points [{gap.low * 100:+.1f}, {gap.high * 100:+.1f}], allowed {allowed * 100:+.1f}"
    )
