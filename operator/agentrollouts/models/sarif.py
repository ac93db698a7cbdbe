"""Findings as SARIF 2.1.0, which code hosts show beside the lines, and as GitHub's workflow commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentrollouts.models.lint import RULES, Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """One run with a result a finding."""
    rules = [{"id": rule, "shortDescription": {"text": text}} for rule, text in RULES.items()]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "agentrollout models lint", "rules": rules}},
                "results": [_result(finding) for finding in findings],
            }
        ],
    }


def annotation(finding: Finding) -> str:
    """A line that GitHub Actions turns into an annotation. Percent signs and line ends are escaped as it asks for."""
    return (
        f"::error file={_escaped(finding.path, ':,')},line={finding.line},col={finding.column}"
        f",title={finding.rule}::{_escaped(finding.message)}"
    )


def _result(finding: Finding) -> dict[str, Any]:
    region = {"startLine": finding.line, "startColumn": finding.column}
    place = {"artifactLocation": {"uri": finding.path}, "region": region}
    return {
        "ruleId": finding.rule,
        "level": "error",
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": place}],
    }


def _escaped(text: str, more: str = "") -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for character in more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
