"""Converters over files that the tools themselves wrote: tests/fixtures/evals/README.md."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.evals.convert import Tool, convert
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.gate import Limits, judge
from agentrollouts.evals.results import Results, read, written

FIXTURES = Path(__file__).parents[2] / "fixtures" / "evals"


def real(tool: Tool) -> Any:
    return json.loads((FIXTURES / f"{tool}.json").read_text(), parse_float=Decimal)


def converted(tool: Tool, value: Any) -> Results:
    return convert(json.dumps(value, default=float).encode(), tool)


def scores(found: Results) -> dict[str, list[float]]:
    return {case.id: [float(score) for score in case.scores] for case in found.cases or ()}


EXPECTED = {
    Tool.PROMPTFOO: {
        "refund": [1, 1],
        "late": [0.5, 0.5],
        '{"question": "goodbye"}': [0, 1],
        "breaks": [0, 0],
    },
    Tool.DEEPEVAL: {"refund": [1], "late": [0.2], "empty": [0], "test_case_3": [1]},
    Tool.INSPECT: {"3": [0, 0, 0], "breaks": [0, 0, 0], "late": [1, 0, 1], "refund": [0.5, 0.5, 0.5]},
}
ERRORS = {
    Tool.PROMPTFOO: {"breaks": "the tool broke"},
    Tool.DEEPEVAL: {
        "empty": "Exact Match: MissingTestCaseParamsError: 'actual_output' cannot be empty for the 'Exact Match' metric;"
        " Overlap: ValueError: the answer is empty"
    },
    Tool.INSPECT: {"breaks": "RuntimeError('the tool broke | <b>')"},
}
PASSED = {
    Tool.PROMPTFOO: {"refund": [True, True], "late": [False, False], '{"question": "goodbye"}': [False, True], "breaks": [False, False]},
    Tool.DEEPEVAL: {"refund": [True], "late": [False], "empty": [False], "test_case_3": [True]},
    Tool.INSPECT: {"3": [False] * 3, "breaks": [False] * 3, "late": [True, False, True], "refund": [True] * 3},
}  # fmt: skip


@pytest.mark.parametrize("tool", Tool)
def test_a_real_file_becomes_results_that_the_gate_reads(tool: Tool) -> None:
    found = converted(tool, real(tool))
    assert scores(found) == EXPECTED[tool]
    assert {case.id: case.error for case in found.cases or () if case.error} == ERRORS[tool]
    assert {case.id: list(case.passes) for case in found.cases or ()} == PASSED[tool]
    assert not found.partial
    again = read(written(found))
    assert (scores(again), again.score) == (scores(found), found.score)
    assert judge(again, found, Limits(found.score)).passed


def test_inspects_own_accuracy_is_ours_where_nothing_broke() -> None:
    log = real(Tool.INSPECT)
    log["samples"] = [sample for sample in log["samples"] if sample["id"] != "breaks"]
    accuracies = [score["metrics"]["accuracy"]["value"] for score in log["results"]["scores"]]
    assert float(converted(Tool.INSPECT, log).score) == pytest.approx(
        float(sum(accuracies) / len(accuracies))
    )


def test_a_log_of_inspect_that_wasnt_finished_is_partial() -> None:
    log = real(Tool.INSPECT) | {"status": "cancelled"}
    log["samples"] = log["samples"][:5]
    assert converted(Tool.INSPECT, log).partial


def test_repeats_are_in_the_order_of_epochs_wherever_a_log_has_them() -> None:
    log = real(Tool.INSPECT)
    for sample in log["samples"]:
        if (sample["id"], sample["epoch"]) == ("late", 1):
            sample["scores"]["match"]["value"] = "I"
    log["samples"].reverse()
    assert scores(converted(Tool.INSPECT, log))["late"] == [0.5, 0, 1]


def test_a_value_of_inspect_that_is_no_number_is_refused() -> None:
    log = real(Tool.INSPECT)
    log["samples"][0]["scores"]["match"]["value"] = {"a": 1}
    with pytest.raises(
        InputError, match="expected a number or one of C, P, I, N; scorer 'match' gave sample '3'"
    ):
        converted(Tool.INSPECT, log)


def test_a_log_of_inspect_without_samples_is_refused() -> None:
    with pytest.raises(InputError, match="expected a log with its samples"):
        converted(Tool.INSPECT, real(Tool.INSPECT) | {"samples": None})


def test_a_sample_nobody_scored_counts_as_broken() -> None:
    log = real(Tool.INSPECT)
    for sample in log["samples"]:
        sample["scores"] = {} if sample["id"] == 3 else sample["scores"]
    found = converted(Tool.INSPECT, log)
    assert {case.id: case.error for case in found.cases or ()}["3"] == "no scorer spoke"


def test_two_providers_of_promptfoo_are_two_versions() -> None:
    file = real(Tool.PROMPTFOO)
    file["results"]["results"][0]["provider"]["id"] = "other"
    with pytest.raises(InputError, match="expected results of one prompt and one provider; got 2 pairs"):
        converted(Tool.PROMPTFOO, file)


def test_tests_of_one_description_are_not_each_others_repeats() -> None:
    file = real(Tool.PROMPTFOO)
    for result in file["results"]["results"]:
        result["testCase"]["description"] = "support"
    assert len(converted(Tool.PROMPTFOO, file).cases or ()) == 4
    run = real(Tool.DEEPEVAL)
    for case in run["testCases"]:
        case["name"] = "support"
    assert len(converted(Tool.DEEPEVAL, run).cases or ()) == 4


def test_a_test_case_of_deepeval_that_is_there_twice_has_two_repeats() -> None:
    run = real(Tool.DEEPEVAL)
    run["testCases"] *= 2
    assert converted(Tool.DEEPEVAL, run).repeats == 2


def test_a_metric_for_which_less_is_better_is_refused() -> None:
    run = real(Tool.DEEPEVAL)
    run["testCases"][0]["metricsData"][1] |= {"score": 0.1, "success": True}
    with pytest.raises(InputError, match="'Overlap' passes 'refund' below its threshold"):
        converted(Tool.DEEPEVAL, run)


def test_a_metric_that_broke_counts_nothing_beside_one_that_spoke() -> None:
    run = real(Tool.DEEPEVAL)
    run["testCases"][0]["metricsData"][1] = {"name": "Overlap", "success": False, "error": "broke"}
    found = converted(Tool.DEEPEVAL, run).cases or []
    assert (found[0].scores, found[0].error) == ([Decimal("0.5")], "Overlap: broke")


def test_a_flaky_metric_decides_nothing() -> None:
    run = real(Tool.DEEPEVAL)
    run["testCases"][1]["metricsData"][0]["flaky"] = True
    assert scores(converted(Tool.DEEPEVAL, run))["late"] == [0.4]
    run["testCases"][1]["metricsData"][1]["flaky"] = True
    with pytest.raises(InputError, match="'late' has none that counts"):
        converted(Tool.DEEPEVAL, run)


@pytest.mark.parametrize("tool", Tool)
@pytest.mark.parametrize("text", ["{}", "[]", "7", '{"results": 1}', '{"mean_score": 0.9}'])
def test_what_isnt_a_tools_file_is_refused(tool: Tool, text: str) -> None:
    with pytest.raises(InputError, match=f"expected results of {tool}"):
        convert(text.encode(), tool)


@pytest.mark.parametrize("tool", Tool)
def test_half_a_file_is_refused(tool: Tool) -> None:
    text = (FIXTURES / f"{tool}.json").read_text()
    with pytest.raises(InputError, match="Was the file written to its end"):
        convert(text[: len(text) // 2].encode(), tool)


def test_no_case_is_no_result() -> None:
    with pytest.raises(InputError, match="with at least one case; got none"):
        convert(b'{"testCases": []}', Tool.DEEPEVAL)


def test_a_score_outside_0_and_1_is_refused_with_its_case() -> None:
    file = real(Tool.PROMPTFOO)
    file["results"]["results"][0]["score"] = 3
    with pytest.raises(InputError, match=r"case 'refund': scores\.0: .* got 3"):
        converted(Tool.PROMPTFOO, file)
