"""A judgement in sentences, the same wherever it is shown. Ids and errors come from others: nothing in them reaches a terminal as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from agentrollouts.core.checks.result import Verdict
from agentrollouts.evals.gate import Comparison, Judgement
from agentrollouts.evals.results import Case, decimal

_NAMED = 10
_DECIMALS = 4


def lines(judgement: Judgement) -> Iterator[str]:
    """What a person reads, the answer last."""
    yield score_line(judgement)
    if judgement.minimum is Verdict.FAIL:
        yield f"FAIL: {minimum_sentence(judgement)}"
    yield from comparison_lines(judgement)
    yield from case_lines(judgement)
    if judgement.verdict is not Verdict.FAIL and not judgement.passed:
        yield "FAIL: what isn't shown counts as a failure (--on-unclear fail)"
    elif judgement.passed:
        yield "PASS"


def score_line(judgement: Judgement) -> str:
    """The score and what is asked."""
    score, minimum = beside(judgement.results.score, judgement.limits.minimum)
    return f"Eval score: {score} (threshold: {minimum})"


def minimum_sentence(judgement: Judgement) -> str:
    """Why the minimum isn't met."""
    score, minimum = beside(judgement.results.score, judgement.limits.minimum)
    return f"Score {score} below minimum {minimum}"


def comparison_lines(judgement: Judgement) -> Iterator[str]:
    """What the baseline says, or that there is none."""
    found = judgement.comparison
    if found is None:
        yield "No baseline yet: only the minimum was checked"
        return
    yield from _scope(found)
    yield f"{'' if found.verdict is Verdict.PASS else f'{found.verdict}: '}{comparison_sentence(judgement)}"
    if found.interval is not None:
        low, high = (f"{value:+z.4f}" for value in (-found.interval.high, -found.interval.low))
        yield f"Change with {found.repeats} repeats: between {low} and {high} (90% interval)"


def comparison_sentence(judgement: Judgement) -> str:
    """What became of the score since the baseline; needs a comparison."""
    found = judgement.comparison
    assert found is not None
    if found.verdict is Verdict.PASS:
        return f"Regression check passed (delta: {decimal(-found.regression):+z.4f})"
    lost, limit = beside(found.regression, judgement.limits.max_regression)
    sentence = f"Regression of {lost} from baseline {decimal(found.baseline):.4f}"
    return (
        sentence
        if found.verdict is Verdict.FAIL
        else f"{sentence} isn't shown to exceed {limit}: {_what_would(found)}"
    )


def case_lines(judgement: Judgement) -> Iterator[str]:
    """Flaky cases and errors by name."""
    results = judgement.results
    if judgement.pass_power is not None and results.repeats > 1:
        yield f"pass^{results.repeats}: {decimal(judgement.pass_power):.4f} of the cases passed in every repeat"
    if judgement.flaky:
        yield "Flaky: " + _some(
            [f"{plain(each.id)} ({each.passed}/{each.repeats})" for each in judgement.flaky]
        )
    wrong = errors(results.cases or ())
    if wrong:
        yield "Errors: " + _some([f"{plain(case.id)} ({plain(case.error or '')})" for case in wrong])


def errors(cases: Sequence[Case]) -> list[Case]:
    """The cases in which something broke."""
    return [case for case in cases if case.error]


def beside(value: Fraction, other: Fraction) -> tuple[str, str]:
    """Two numbers with four decimals, or as many more as it takes to tell them apart: 0.8499996 is below 0.85 and shall look it."""
    for places in range(_DECIMALS, 28):
        texts = (f"{decimal(value):.{places}f}", f"{decimal(other):.{places}f}")
        if value == other or texts[0] != texts[1]:
            return texts
    return str(value), str(other)


def plain(text: str) -> str:
    """Text on one line without control characters."""
    return "".join(char if char.isprintable() else "�" for char in " ".join(text.split()))[:200]


def _scope(found: Comparison) -> Iterator[str]:
    if found.other_dataset:
        yield "The dataset isn't the baseline's: cases of one name may differ"
    if found.added or found.removed:
        yield f"Compared on the {found.common} cases that both have ({decimal(found.score):.4f} against {decimal(found.baseline):.4f})"
    if found.added:
        yield "New since the baseline: " + _some([plain(name) for name in found.added])
    if found.removed:
        yield "In the baseline only: " + _some([plain(name) for name in found.removed])


def _what_would(found: Comparison) -> str:
    if found.enough_repeats is None:
        return "no thousand repeats would tell"
    return f"about {found.enough_repeats - found.repeats} more repeats on both sides would tell, if it stays as it is"


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _NAMED
    return ", ".join(texts[:_NAMED]) + (f" and {more} more" if more > 0 else "")
