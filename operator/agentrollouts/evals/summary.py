"""A judgement as GitHub-flavoured Markdown, for the summary of a workflow's step."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from agentrollouts.core.checks.result import Verdict
from agentrollouts.evals.gate import Judgement
from agentrollouts.evals.results import Case, decimal
from agentrollouts.evals.words import case_lines, comparison_lines, minimum_sentence, plain

_MARKUP = re.compile(r"([\\`*_{}\[\]#|~])")
_ROWS = 200
"""Rows of cases: GitHub drops a summary of more than 1 MiB whole."""


def summary(judgement: Judgement) -> str:
    """A heading, a table of what was asked and what was found, notes, and the cases from the worst."""
    return "\n".join([*_head(judgement), "", *_notes(judgement), "", *_cases(judgement), ""])


def escaped(text: str) -> str:
    """Text of others that stays text: no markup, no HTML, no line break, no mention of anybody."""
    return _MARKUP.sub(r"\\\1", html.escape(plain(text), quote=False))


def _head(judgement: Judgement) -> Iterator[str]:
    results, limits, found = judgement.results, judgement.limits, judgement.comparison
    who = " ".join(escaped(part) for part in (results.agent, results.version) if part)
    yield f"### {'✅' if judgement.passed else '❌'} Eval gate{': ' if who else ''}{who}"
    yield ""
    yield "| | asked | found | |"
    yield "|---|---:|---:|---|"
    yield f"| Score | at least {decimal(limits.minimum):.4f} | {decimal(results.score):.4f} | {judgement.minimum} |"
    if found is not None:
        change = f"{decimal(-found.regression):+z.4f}"
        yield f"| Change since the baseline | at least {decimal(-limits.max_regression):+z.4f} | {change} | {found.verdict} |"


def _notes(judgement: Judgement) -> Iterator[str]:
    if judgement.minimum is Verdict.FAIL:
        yield f"- {minimum_sentence(judgement)}"
    for line in (*comparison_lines(judgement), *case_lines(judgement)):
        yield f"- {escaped(line)}"


def _cases(judgement: Judgement) -> Iterator[str]:
    cases = sorted(judgement.results.cases or (), key=lambda case: (case.mean, case.id))
    if not cases:
        return
    yield f"<details><summary>{len(cases)} cases</summary>"
    yield ""
    yield "| case | mean | passed | |"
    yield "|---|---:|---:|---|"
    yield from map(_row, cases[:_ROWS])
    if len(cases) > _ROWS:
        yield f"| … and {len(cases) - _ROWS} more, all better | | | |"
    yield ""
    yield "</details>"


def _row(case: Case) -> str:
    passed = f"{sum(case.passes)}/{len(case.passes)}"
    return f"| {escaped(case.id)} | {decimal(case.mean):.4f} | {passed} | {escaped(case.error or '')} |"
