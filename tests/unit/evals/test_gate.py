from __future__ import annotations

from fractions import Fraction

import pytest

from agentrollouts.core.checks.result import Verdict
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.gate import Judgement, Limits, OnUnclear, judge
from agentrollouts.evals.results import Results
from agentrollouts.evals.words import lines
from tests.unit.evals.documents import only, results

LIMITS = Limits(Fraction("0.85"))


def told(found: Judgement) -> list[str]:
    return list(lines(found))


@pytest.mark.parametrize(
    ("score", "baseline", "expected"),
    [
        ("0.87", "0.87", ["Eval score: 0.8700 (threshold: 0.8500)", "Regression check passed (delta: +0.0000)", "PASS"]),
        ("0.85", "0.9", ["Eval score: 0.8500 (threshold: 0.8500)", "Regression check passed (delta: -0.0500)", "PASS"]),
        ("0.9", "0.88", ["Eval score: 0.9000 (threshold: 0.8500)", "Regression check passed (delta: +0.0200)", "PASS"]),
        ("0.88", "0.94", ["Eval score: 0.8800 (threshold: 0.8500)", "FAIL: Regression of 0.0600 from baseline 0.9400"]),
        (
            "0.82", "0.9",
            [
                "Eval score: 0.8200 (threshold: 0.8500)",
                "FAIL: Score 0.8200 below minimum 0.8500",
                "FAIL: Regression of 0.0800 from baseline 0.9000",
            ],
        ),
    ],
)  # fmt: skip
def test_one_run_is_judged_by_its_score_alone(score: str, baseline: str, expected: list[str]) -> None:
    found = judge(only(score), only(baseline), LIMITS)
    assert told(found) == expected
    assert found.passed == (expected[-1] == "PASS")


@pytest.mark.parametrize("tenths", range(1, 20))
def test_a_regression_of_exactly_the_limit_passes_whatever_a_double_makes_of_it(tenths: int) -> None:
    after = Fraction(tenths, 20) - Fraction(1, 20)
    found = judge(only(str(float(after))), only(str(float(Fraction(tenths, 20)))), Limits(Fraction(0)))
    assert found.passed


def test_a_little_below_is_below_and_looks_it() -> None:
    found = judge(only("0.8499999"), None, LIMITS)
    assert not found.passed
    assert told(found)[:2] == [
        "Eval score: 0.8499999 (threshold: 0.8500000)",
        "FAIL: Score 0.8499999 below minimum 0.8500000",
    ]


def test_no_baseline_is_said_and_not_taken_for_a_comparison() -> None:
    found = judge(only("0.9"), None, LIMITS)
    assert found.comparison is None
    assert told(found)[1:] == ["No baseline yet: only the minimum was checked", "PASS"]


def test_a_loss_beyond_chance_fails() -> None:
    old, new = {f"c{n}": [1, 1, 1] for n in range(12)}, {f"c{n}": [0, 0, 1] for n in range(12)}
    found = judge(results(new), results(old), Limits(Fraction(0)))
    assert found.verdict is Verdict.FAIL
    assert found.comparison is not None and found.comparison.interval is not None
    assert (
        Fraction(1, 20) < found.comparison.interval.low < Fraction(2, 3) < found.comparison.interval.high <= 1
    )


def unclear(on_unclear: OnUnclear) -> Judgement:
    old = {f"c{n}": [1, 1] for n in range(5)}
    return judge(results({**old, "c0": [0, 1]}), results(old), Limits(Fraction(0), on_unclear=on_unclear))


def test_a_loss_that_may_be_chance_isnt_shown_and_fails_unless_it_may_pass() -> None:
    closed, open_ = unclear(OnUnclear.FAIL), unclear(OnUnclear.PASS)
    assert (closed.verdict, closed.passed) == (Verdict.WARN, False)
    assert (open_.verdict, open_.passed) == (Verdict.WARN, True)
    assert told(closed)[-1] == "FAIL: what isn't shown counts as a failure (--on-unclear fail)"
    assert told(open_)[-1] == "PASS"
    assert (
        "WARN: Regression of 0.1000 from baseline 1.0000 isn't shown to exceed 0.0500: about "
        in told(closed)[1]
    )


def test_a_loss_that_is_real_but_may_be_within_the_limit_isnt_shown() -> None:
    old = {f"c{n}": [1] * 5 for n in range(24)}
    found = judge(results({**old, "c0": [0] * 5, "c1": [0] * 5}), results(old), Limits(Fraction(0)))
    assert found.verdict is Verdict.WARN
    assert found.comparison is not None and found.comparison.interval is not None
    assert 0 < found.comparison.interval.low < 0.05
    assert found.comparison.enough_repeats == 10
    assert "about 5 more repeats on both sides would tell" in told(found)[1]


def test_a_score_below_the_minimum_fails_whatever_else_may_pass() -> None:
    old = {f"c{n}": [1, 1] for n in range(5)}
    limits = Limits(Fraction("0.95"), on_unclear=OnUnclear.PASS)
    found = judge(results({**old, "c0": [0, 1]}), results(old), limits)
    assert found.verdict is Verdict.FAIL
    assert not found.passed


def test_a_single_repeat_on_either_side_has_no_interval() -> None:
    found = judge(results({"a": [1, 0]}), results({"a": [1]}), Limits(Fraction(0)))
    assert found.verdict is Verdict.FAIL
    assert found.comparison is not None and found.comparison.interval is None


def test_cases_of_one_side_only_are_named_and_not_compared() -> None:
    old, new = results({"a": [1], "b": [1], "gone": [0]}), results({"a": [1], "b": [1], "new": [0]})
    found = judge(new, old, Limits(Fraction(0)))
    assert found.passed
    assert told(found)[1:5] == [
        "Compared on the 2 cases that both have (1.0000 against 1.0000)",
        "New since the baseline: new",
        "In the baseline only: gone",
        "Regression check passed (delta: +0.0000)",
    ]


def test_dropping_what_fails_doesnt_hide_a_regression() -> None:
    old = results({"a": [1], "hard": [0]})
    found = judge(results({"a": [0.9]}), old, Limits(Fraction(0)))
    assert not found.passed
    assert "FAIL: Regression of 0.1000 from baseline 1.0000" in told(found)


def test_repeats_that_disagree_are_named_the_worst_first() -> None:
    found = judge(
        results({"good": [1, 1, 1], "b": [1, 0, 1], "a": [0, 0, 1], "bad": [0, 0, 0]}),
        None,
        Limits(Fraction(0)),
    )
    assert [(each.id, each.passed, each.repeats) for each in found.flaky] == [("a", 1, 3), ("b", 2, 3)]
    assert found.pass_power == Fraction(1, 4)
    assert told(found)[2:4] == [
        "pass^3: 0.2500 of the cases passed in every repeat",
        "Flaky: a (1/3), b (2/3)",
    ]


def test_what_the_tool_says_of_a_repeat_goes_before_its_score() -> None:
    cases = [{"id": "a", "scores": [0.9, 0.9], "passed": [True, False]}, {"id": "b", "scores": [0.5, 0.9]}]
    found = judge(results({"a": [0.9, 0.9]}, cases=cases, mean_score=0.8), None, Limits(Fraction(0)))
    assert [each.id for each in found.flaky] == ["a"]


PARTIAL = results({"a": [1]}, repeats=2, partial=True)


@pytest.mark.parametrize(
    ("new", "old", "sentence"),
    [
        (PARTIAL, None, "expected whole results; these are partial"),
        (only("1"), PARTIAL, "expected whole results in the baseline; these are partial"),
        (results({"a": [1]}, agent="x"), results({"a": [1]}, agent="y"), "expected a baseline of x, as the results are; it is of y"),
        (results({"a": [1]}), results({"b": [1]}), "none of them is there"),
    ],
)  # fmt: skip
def test_what_cant_be_compared_is_refused(new: Results, old: Results | None, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        judge(new, old, LIMITS)


def test_another_dataset_is_told() -> None:
    one, other = ({"dataset_digest": f"sha256:{digit * 64}"} for digit in "01")
    found = judge(results({"a": [1]}, **one), results({"a": [1]}, **other), LIMITS)
    assert "The dataset isn't the baseline's: cases of one name may differ" in told(found)
    assert len(told(judge(results({"a": [1]}, **one), results({"a": [1]}, **one), LIMITS))) == 3
