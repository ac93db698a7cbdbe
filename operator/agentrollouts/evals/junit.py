"""A judgement as JUnit XML. The two limits are tests that can fail; a case is a test that only tells its scores.

A gate that is open has no failure in it: what one case may score isn't the gate's question, and CI systems fail a build on any failure.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from agentrollouts.core.checks.result import Verdict
from agentrollouts.evals.gate import Judgement
from agentrollouts.evals.results import Case
from agentrollouts.evals.words import comparison_lines, comparison_sentence, minimum_sentence, score_line

_SUITE = "eval gate"
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(judgement: Judgement) -> bytes:
    """The document, UTF-8."""
    suite = ET.Element("testsuite", name=_legal(judgement.results.agent or _SUITE))
    _test(suite, "minimum score", score_line(judgement), _minimum_failure(judgement))
    told = "\n".join(comparison_lines(judgement))
    if judgement.comparison is None:
        ET.SubElement(
            ET.SubElement(suite, "testcase", name="regression", classname=_SUITE), "skipped", message=told
        )
    else:
        _test(suite, "regression", told, _regression_failure(judgement))
    for case in judgement.results.cases or ():
        _test(suite, case.id, _scores(case), None, classname="cases")
    suite.set("tests", str(len(suite)))
    for kind in ("failure", "skipped", "error"):
        suite.set("skipped" if kind == "skipped" else f"{kind}s", str(len(suite.findall(f"*/{kind}"))))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _minimum_failure(judgement: Judgement) -> str | None:
    return minimum_sentence(judgement) if judgement.minimum is Verdict.FAIL else None


def _regression_failure(judgement: Judgement) -> str | None:
    found = judgement.comparison
    assert found is not None
    closed = found.verdict is Verdict.FAIL or (found.verdict is Verdict.WARN and not judgement.passed)
    return comparison_sentence(judgement) if closed else None


def _test(suite: ET.Element, name: str, told: str, failure: str | None, *, classname: str = _SUITE) -> None:
    test = ET.SubElement(suite, "testcase", name=_legal(name), classname=classname)
    if failure is not None:
        ET.SubElement(test, "failure", message=failure, type="EvalGate")
    ET.SubElement(test, "system-out").text = _legal(told)


def _scores(case: Case) -> str:
    text = f"scores: {', '.join(map(str, case.scores))}; passed {sum(case.passes)} of {len(case.passes)}"
    return f"{text}\nerror: {case.error}" if case.error else text


def _legal(text: str) -> str:
    # NB: ElementTree escapes markup but writes control characters as they are, and no parser takes them back.
    return _ILLEGAL.sub("�", text)
