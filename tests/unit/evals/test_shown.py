"""The summary and the JUnit file, with ids and errors that would like to be more than text."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction

from agentrollouts.evals.gate import Limits, OnUnclear, judge
from agentrollouts.evals.junit import junit
from agentrollouts.evals.results import Results
from agentrollouts.evals.summary import summary
from agentrollouts.evals.words import lines
from tests.unit.evals.documents import only, results

EVIL = "a|b\n# c <script>`x`</script> ]]> \x00\x1b[31m \ud7ff &amp; é"


def evil() -> Results:
    cases = [{"id": EVIL, "scores": [0, 1], "error": EVIL}, {"id": "good", "scores": [1, 1]}]
    return results({"x": [0, 1]}, cases=cases, mean_score=0.75, agent=EVIL)


def suite(found: Results, baseline: Results | None, **limits: OnUnclear) -> ET.Element:
    return ET.fromstring(junit(judge(found, baseline, Limits(Fraction("0.5"), **limits))))[0]


def test_nothing_of_others_reaches_a_terminal_as_it_is() -> None:
    for line in lines(judge(evil(), None, Limits(Fraction(0)))):
        assert line.isprintable()


def test_junit_is_xml_whatever_an_id_holds() -> None:
    found = suite(evil(), None)
    names = [test.get("name") for test in found]
    assert names[:2] == ["minimum score", "regression"]
    assert names[2] == EVIL.replace("\n", "\n").replace("\x00", "�").replace("\x1b", "�")
    assert (found.get("tests"), found.get("failures"), found.get("skipped")) == ("4", "0", "1")


def test_an_open_gate_has_no_failure_in_it_whatever_a_case_scores() -> None:
    assert not suite(results({"a": [0, 0], "b": [1, 1]}), None).findall("*/failure")


def test_the_limits_are_tests_that_fail() -> None:
    found = suite(only("0.4"), only("0.9"))
    assert [failure.get("message") for failure in found.findall("*/failure")] == [
        "Score 0.4000 below minimum 0.5000",
        "Regression of 0.5000 from baseline 0.9000",
    ]


def test_what_isnt_shown_fails_in_junit_as_the_gate_does() -> None:
    old = {f"c{n}": [1.0, 1.0] for n in range(5)}
    new = results({**old, "c0": [0, 1]})
    assert len(suite(new, results(old)).findall("*/failure")) == 1
    assert not suite(new, results(old), on_unclear=OnUnclear.PASS).findall("*/failure")


def test_a_summary_has_one_row_for_each_case_from_the_worst() -> None:
    text = summary(judge(evil(), None, Limits(Fraction(0))))
    rows = [
        line
        for line in text.splitlines()
        if line.startswith("| ") and line.count("0.") == 1 and "at least" not in line
    ]
    assert len(rows) == 1
    assert rows[0].startswith("| a\\|b \\# c &lt;script&gt;\\`x\\`&lt;/script&gt; \\]\\]&gt; ��\\[31m")
    assert "<script" not in text
    assert text.index("0.5000 | 1/2") < text.index("good | 1.0000 | 2/2")


def test_a_summary_says_what_was_asked_and_found() -> None:
    text = summary(judge(only("0.8"), only("0.9"), Limits(Fraction("0.85"))))
    assert text.splitlines()[:9] == [
        "### ❌ Eval gate",
        "",
        "| | asked | found | |",
        "|---|---:|---:|---|",
        "| Score | at least 0.8500 | 0.8000 | FAIL |",
        "| Change since the baseline | at least -0.0500 | -0.1000 | FAIL |",
        "",
        "- Score 0.8000 below minimum 0.8500",
        "- FAIL: Regression of 0.1000 from baseline 0.9000",
    ]


def test_a_summary_of_thousands_of_cases_stays_below_what_github_keeps() -> None:
    text = summary(
        judge(results({f"{n:05} {'x' * 300}": [1] for n in range(5000)}), None, Limits(Fraction(0)))
    )
    assert len(text.encode()) < 2**20
    assert "and 4800 more" in text
