"""The eval gate: whether a version's results are good enough, and no worse than the baseline's. A function of values.

Two limits. The score may not be below a minimum; exactly the minimum passes. It may not have lost more than ``max_regression`` against
the baseline; exactly that passes. Where both have two repeats or more of the same cases, a loss beyond the limit fails only when the
interval lies beyond it as well; otherwise it isn't shown, which is a WARN of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from agentrollouts.core.checks.result import Verdict
from agentrollouts.core.statistics import Interval
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.interval import bounds, repeats_needed, side
from agentrollouts.evals.results import Case, Results, mean_of


class OnUnclear(StrEnum):
    """What a regression that isn't shown counts as."""

    FAIL = "fail"
    PASS = "pass"  # noqa: S105 - a verdict, not a password


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of the results; scores and losses are fractions from 0 to 1."""

    minimum: Fraction
    max_regression: Fraction = Fraction(1, 20)
    on_unclear: OnUnclear = OnUnclear.FAIL


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results beside the baseline: on the cases both have, or as a whole where either names no cases.

    ``interval`` is None where a side has a single repeat or no cases. ``enough_repeats`` is how many repeats on both sides would show the
    loss, if it stays as it is; None where it needn't be shown or no number would do.
    """

    score: Fraction
    baseline: Fraction
    verdict: Verdict
    common: int = 0
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    other_dataset: bool = False
    repeats: int = 1
    interval: Interval | None = None
    enough_repeats: int | None = None

    @property
    def regression(self) -> Fraction:
        """What was lost; negative where something was gained."""
        return self.baseline - self.score


@dataclass(frozen=True, slots=True)
class Flaky:
    """A case whose repeats disagree."""

    id: str
    passed: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate says, and all that it goes by. ``pass_power`` is pass^k: the part of the cases that passed in every one of k repeats."""

    results: Results
    limits: Limits
    minimum: Verdict
    comparison: Comparison | None
    flaky: tuple[Flaky, ...]
    pass_power: Fraction | None

    @property
    def verdict(self) -> Verdict:
        """FAIL before WARN before PASS."""
        parts = (self.minimum, self.comparison.verdict if self.comparison else Verdict.PASS)
        return next(found for found in (Verdict.FAIL, Verdict.WARN, Verdict.PASS) if found in parts)

    @property
    def passed(self) -> bool:
        """Whether the gate is open."""
        if self.verdict is Verdict.WARN:
            return self.limits.on_unclear is OnUnclear.PASS
        return self.verdict is Verdict.PASS


def judge(results: Results, baseline: Results | None, limits: Limits) -> Judgement:
    """Results against the limits and, where there is one, the baseline.

    Raises:
        InputError: one of them is partial, of another agent, or they have no case in common.
    """
    _whole(results, "results")
    if baseline is not None:
        _whole(baseline, "results in the baseline")
    return Judgement(
        results=results,
        limits=limits,
        minimum=Verdict.FAIL if results.score < limits.minimum else Verdict.PASS,
        comparison=None if baseline is None else _compared(results, baseline, limits),
        flaky=tuple(_flaky(results)),
        pass_power=_pass_power(results),
    )


def _whole(results: Results, which: str) -> None:
    if results.partial:
        raise InputError(
            f"expected whole {which}; these are partial, of a run that was interrupted: run it again"
        )


def _compared(results: Results, baseline: Results, limits: Limits) -> Comparison:
    if results.agent and baseline.agent and results.agent != baseline.agent:
        raise InputError(
            f"expected a baseline of {results.agent}, as the results are; it is of {baseline.agent}"
        )
    other = bool(results.dataset_digest and baseline.dataset_digest) and (
        results.dataset_digest != baseline.dataset_digest
    )
    if results.cases is None or baseline.cases is None:
        verdict = _plain(baseline.score - results.score, limits)
        return Comparison(results.score, baseline.score, verdict, other_dataset=other)
    after, before = ({case.id: case for case in each} for each in (results.cases, baseline.cases))
    names = [name for name in after if name in before]
    if not names:
        raise InputError(
            "expected cases that the baseline has, too; none of them is there. Evaluate the old version on this dataset"
        )
    return _case_by_case(
        {name: (before[name], after[name]) for name in names},
        limits,
        repeats=min(results.repeats, baseline.repeats),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        other_dataset=other,
    )


def _case_by_case(
    pairs: Mapping[str, tuple[Case, Case]],
    limits: Limits,
    *,
    repeats: int,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    other_dataset: bool,
) -> Comparison:
    score, before = mean_of(pair[1] for pair in pairs.values()), mean_of(pair[0] for pair in pairs.values())
    interval, enough, verdict = None, None, _plain(before - score, limits)
    if repeats > 1:
        sides = [(side(old.scores), side(new.scores)) for old, new in pairs.values()]
        interval = bounds(sides)
        if verdict is Verdict.FAIL and interval.low <= limits.max_regression:
            verdict, enough = Verdict.WARN, repeats_needed(sides, float(limits.max_regression))
    return Comparison(
        score=score,
        baseline=before,
        verdict=verdict,
        common=len(pairs),
        added=added,
        removed=removed,
        other_dataset=other_dataset,
        repeats=repeats,
        interval=interval,
        enough_repeats=enough,
    )


def _plain(regression: Fraction, limits: Limits) -> Verdict:
    return Verdict.FAIL if regression > limits.max_regression else Verdict.PASS


def _flaky(results: Results) -> list[Flaky]:
    found = [
        Flaky(case.id, sum(case.passes), len(case.passes))
        for case in results.cases or ()
        if len(set(case.passes)) > 1
    ]
    return sorted(found, key=lambda each: (Fraction(each.passed, each.repeats), each.id))


def _pass_power(results: Results) -> Fraction | None:
    if not results.cases:
        return None
    return Fraction(sum(all(case.passes) for case in results.cases), len(results.cases))
