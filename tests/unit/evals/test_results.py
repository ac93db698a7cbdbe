from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import pytest

from agentrollouts.evals.errors import InputError
from agentrollouts.evals.results import Case, of_cases, read, written
from tests.unit.evals.documents import only, results, text


def test_a_score_is_the_decimal_that_is_written() -> None:
    assert only("0.1").score + only("0.2").score == only("0.3").score
    assert only("1").score == 1


def test_a_file_with_a_score_only_is_enough_whatever_else_it_holds() -> None:
    found = read('{"mean_score": 0.9, "model": "x", "duration": 12}')
    assert (found.score, found.cases, found.repeats) == (Fraction(9, 10), None, 1)


def test_the_score_is_the_exact_mean_of_the_cases() -> None:
    assert results({"a": [1, 0, 0], "b": [1, 1, 1], "c": [0, 0, 0]}).score == Fraction(4, 9)


def test_what_is_written_reads_as_it_was() -> None:
    cases = [
        Case(id="ä\n", scores=[Decimal("0.1"), Decimal(1)], passed=[False, True], error="no", tags=["t"])
    ]
    before = of_cases(cases, repeats=2, agent="support", version="2.0.0", dataset_digest=f"sha256:{'0' * 64}")
    assert read(written(before)) == before
    assert json.loads(written(before))["cases"][0]["scores"] == [0.1, 1]
    assert before.mean_score == Decimal("0.55")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ('{"mean_score": 0.9', "expected JSON"),
        ("", "expected JSON"),
        ("[" * 200_000, "nested too deeply"),
        ('{"mean_score": NaN}', "NaN is no number"),
        ('{"mean_score": 0.9, "mean_score": 0.1}', "'mean_score' is there twice"),
        ("[0.9]", "expected an object with mean_score"),
        ('{"score": 0.9}', "expected mean_score, which isn't there"),
        ('{"mean_score": "0.9"}', "mean_score: expected a number from 0 to 1; got '0.9'"),
        ('{"mean_score": true}', "mean_score: expected a number from 0 to 1; got True"),
        ('{"mean_score": null}', "mean_score: expected a number from 0 to 1; got None"),
        ('{"mean_score": 1.01}', "less than or equal to 1; got 1.01"),
        ('{"mean_score": -0.1}', "greater than or equal to 0; got -0.1"),
        ('{"mean_score": 87}', "less than or equal to 1; got 87"),
        ('{"mean_score": 1e-999999999}', "no more than 400 decimal places"),
        ('{"mean_score": 0.9, "cases": []}', "cases: "),
        ('{"mean_score": 0.9, "cases": [{"id": "a"}]}', "expected cases.0.scores, which isn't there"),
        ('{"mean_score": 0.9, "cases": [{"id": "a", "scores": [0.9], "x": 1}]}', "cases.0.x is no field"),
        ('{"mean_score": 0.9, "repeats": 0}', "repeats: "),
        ('{"mean_score": 0.9, "schema": "agentrollouts.io/eval-results/v2"}', "schema: "),
        ('{"mean_score": 0.9, "schema": "agentrollouts.io/eval-results/v1", "casez": []}', "casez is no field"),
        ('{"mean_score": 0.9, "dataset_digest": "abc"}', "dataset_digest: "),
        (text({"a": [1, 0]}, mean_score=0.51), "expected mean_score to be the mean of the cases, 0.5000; got 0.51"),
        (text({"a": [1, 0]}, repeats=3), "expected a score for each of 3 repeats (repeats); case 'a' has 2"),
        (text({"a": [1, 0]}, cases=[{"id": "a", "scores": [1, 0], "passed": [True]}]), "as many of passed as of"),
    ],
)  # fmt: skip
def test_what_cant_be_used_is_told(given: str, told: str) -> None:
    with pytest.raises(InputError) as seen:
        read(given)
    assert told in str(seen.value)
    assert len(str(seen.value)) < 400


def test_a_case_is_there_once() -> None:
    twice = [{"id": "a", "scores": [1]}, {"id": "a", "scores": [1]}]
    with pytest.raises(InputError, match="expected every case once; got 'a' twice"):
        read(text({"a": [1]}, cases=twice, mean_score=1))


@pytest.mark.parametrize(
    ("stated", "fits"), [("0.66666", True), ("0.6667", True), ("0.6668", False), ("0.67", False)]
)
def test_a_mean_may_be_rounded_to_four_decimals(stated: str, fits: bool) -> None:
    given = text({"a": [1, 1, 0]}).replace(str(round(2 / 3, 12)), stated)
    if fits:
        assert read(given).score == Fraction(2, 3)
    else:
        with pytest.raises(InputError, match=r"the mean of the cases, 0\.6667"):
            read(given)


def test_partial_results_may_lack_repeats_and_whole_cases() -> None:
    found = read(
        text(
            {"a": [1]}, repeats=3, partial=True, cases=[{"id": "a", "scores": [1]}, {"id": "b", "scores": []}]
        )
    )
    assert found.partial
    assert found.score == 1
