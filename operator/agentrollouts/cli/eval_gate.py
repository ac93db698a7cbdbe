"""The verb `eval gate`: a function of files. Exit status 0 the gate is open, 1 it is closed, 2 the input can't be judged."""

from __future__ import annotations

import json
import os
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.eval_options import INVALID
from agentrollouts.cli.world_options import JsonOutput
from agentrollouts.core.checks.result import Verdict
from agentrollouts.evals.document import document
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.files import put, text_of
from agentrollouts.evals.gate import Judgement, Limits, OnUnclear, judge
from agentrollouts.evals.junit import junit
from agentrollouts.evals.results import Results, read
from agentrollouts.evals.summary import summary
from agentrollouts.evals.words import lines

_GITHUB = "GITHUB_STEP_SUMMARY"


def gate_command(
    *,
    results: Annotated[str, typer.Option("--results", metavar="FILE", help="The results to judge.")],
    min_score: Annotated[
        str,
        typer.Option(
            "--min-score", metavar="SCORE", help="The least score, from 0 to 1; exactly that passes."
        ),
    ],
    baseline: Annotated[
        str,
        typer.Option("--baseline", metavar="FILE", help="Results of the version in use, to compare with."),
    ] = "",
    max_regression: Annotated[
        str,
        typer.Option(
            "--max-regression", metavar="LOSS", help="The most that may be lost; exactly that passes."
        ),
    ] = "0.05",
    on_unclear: Annotated[
        OnUnclear, typer.Option("--on-unclear", help="What a loss counts as that may be noise.")
    ] = OnUnclear.FAIL,
    update_baseline: Annotated[
        bool, typer.Option("--update-baseline", help="After a PASS, keep the results as the baseline.")
    ] = False,
    summary_file: Annotated[
        str,
        typer.Option("--summary", metavar="FILE", help=f"Append Markdown there; - is ${_GITHUB}."),
    ] = "",
    junit_file: Annotated[str, typer.Option("--junit", metavar="FILE", help="Write JUnit XML there.")] = "",
    output: JsonOutput = None,
) -> None:
    """Judge results against a minimum and a baseline. Exit status 0 pass, 1 fail, 2 input that can't be judged."""
    try:
        limits = Limits(
            _fraction(min_score, "--min-score"), _fraction(max_regression, "--max-regression"), on_unclear
        )
        before = _baseline_path(baseline, update_baseline)
        text = text_of(Path(results))
        found = judge(_read(text, results), _baseline(before), limits)
        _report(found, summary_file, junit_file)
        updated = update_baseline and found.verdict is Verdict.PASS
        if updated and before is not None:
            put(before, text.encode())
    except InputError as error:
        raise CommandError(str(error), status=INVALID) from error
    _show(found, _update_line(found, baseline, asked=update_baseline, updated=updated), output is not None)
    raise typer.Exit(0 if found.passed else 1)


def _baseline_path(name: str, update: bool) -> Path | None:
    if update and not name:
        raise InputError("--update-baseline: expected --baseline FILE, which says what to update")
    return Path(name) if name else None


def _fraction(text: str, option: str) -> Fraction:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise InputError(f"{option}: expected a number from 0 to 1, such as 0.85; got {text!r}") from error
    if not value.is_finite() or not 0 <= value <= 1:
        raise InputError(f"{option}: expected a number from 0 to 1, such as 0.85; got {text!r}")
    return Fraction(value)


def _read(text: str, name: str) -> Results:
    try:
        return read(text)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _baseline(path: Path | None) -> Results | None:
    # NB: only a file that isn't there is "no baseline yet"; one that can't be read or is broken must never count as that.
    if path is None or not os.path.lexists(path):
        return None
    return _read(text_of(path), str(path))


def _report(found: Judgement, summary_file: str, junit_file: str) -> None:
    if summary_file:
        _append(_summary_path(summary_file), summary(found))
    if junit_file:
        put(Path(junit_file), junit(found))


def _summary_path(name: str) -> Path:
    if name != "-":
        return Path(name)
    if not os.environ.get(_GITHUB):
        raise InputError(
            f"--summary -: expected ${_GITHUB} to name a file, as it does in a step of GitHub Actions"
        )
    return Path(os.environ[_GITHUB])


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror}") from error


def _update_line(found: Judgement, baseline: str, *, asked: bool, updated: bool) -> str:
    if not asked:
        return ""
    if updated:
        return f"Baseline {'updated' if found.comparison else 'created'}: {baseline}"
    return f"Baseline not updated: {baseline} stays as it is"


def _show(found: Judgement, update: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document(found), indent=2, ensure_ascii=False))
    else:
        for line in lines(found):
            typer.echo(line)
    if update:
        typer.echo(update, err=True)
