"""What a check is given and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from agentrollouts.core.evidence import Totals
from agentrollouts.core.statistics import Interval, Proportion, difference


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


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A verdict with the sentence a person reads."""

    name: str
    verdict: Verdict
    reason: str = ""
    toward_failure: float = 0.0
    """How far the numbers are on the way to a FAIL: 0 not at all, 1 there. It decides nothing but when to look again."""
    dry_run: bool = False

    def as_dry_run(self) -> CheckResult:
        """The same verdict, shown and never acted on."""
        return replace(self, dry_run=True)

    @property
    def fails(self) -> bool:
        """Whether this alone rolls the candidate back."""
        return self.verdict is Verdict.FAIL and not self.dry_run

    @property
    def blocks(self) -> bool:
        """Whether the candidate may not advance while this stands."""
        return self.verdict is not Verdict.PASS and not self.dry_run


def percent(fraction: float) -> str:
    """A fraction for people, with one decimal."""
    return f"{fraction * 100:.1f}%"


def too_few(name: str, seen: float, needed: int, what: str = "tasks of the candidate") -> CheckResult:
    """The answer while there is not enough evidence."""
    return CheckResult(name, Verdict.INCONCLUSIVE, f"{seen:.0f} of {needed} {what}")


def judge_limit(given: CheckInput, *, bad: float, n: float, limit: int, reason: str) -> CheckResult:
    """``bad`` of ``n`` events against a fixed limit in basis points. Exactly the limit passes; needs n > 0."""
    verdict = Verdict.FAIL if bad * 10_000 > limit * n else Verdict.PASS
    return CheckResult(given.name, verdict, reason, toward_failure=part_of(bad / n, limit / 10_000))


def part_of(amount: float, whole: float) -> float:
    """The fraction that an amount is of the whole, from 0 to 1; all of it when the whole is nothing."""
    return min(1.0, max(0.0, amount / whole)) if whole > 0 else float(amount > 0)


def judge_increase(
    given: CheckInput, *, bad: tuple[Proportion, Proportion], allowed: float, what: str
) -> CheckResult:
    """Candidate's bad share against the old version's: FAIL only when it is above the allowance beyond noise.

    ``bad`` is (candidate, comparator), ``allowed`` a fraction. Between the allowance and certainty the verdict is WARN:
    nothing advances on it, and more evidence decides.
    """
    candidate, comparator = bad
    if candidate.n < given.minimum_sessions:
        return too_few(given.name, candidate.n, given.minimum_sessions)
    if comparator.n < given.minimum_sessions:
        return too_few(given.name, comparator.n, given.minimum_sessions, "tasks of the old version")
    gap = difference(candidate, comparator)
    toward = part_of(gap.estimate, gap.estimate - gap.low) if gap.estimate > allowed else 0.0
    return CheckResult(given.name, _verdict(gap, allowed), _sentence(bad, gap, allowed, what), toward)


def _verdict(gap: Interval, allowed: float) -> Verdict:
    if gap.estimate <= allowed:
        return Verdict.PASS
    return Verdict.FAIL if gap.low > 0 else Verdict.WARN


def _sentence(bad: tuple[Proportion, Proportion], gap: Interval, allowed: float, what: str) -> str:
    candidate, comparator = bad
    return (
        f"{what} {percent(candidate.rate)} of {candidate.n:.0f} against {percent(comparator.rate)} of {comparator.n:.0f}:"
        f" {gap.estimate * 100:+.1f} points [{gap.low * 100:+.1f}, {gap.high * 100:+.1f}], allowed {allowed * 100:+.1f}"
    )
