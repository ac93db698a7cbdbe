"""The verb `lint`: manifests checked without a cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.manifests import Finding, Report, lint_text

Files = Annotated[
    list[str], typer.Argument(metavar="FILE…", help="Files or folders of YAML; - is standard input.")
]


def lint_command(files: Files) -> None:
    """Check manifests of AgentVersions and Rollouts offline. Exit status 1 if anything is wrong."""
    reports = {name: lint_text(text) for name, text in _texts(files)}
    for name, report in reports.items():
        for finding in report.findings:
            typer.echo(sentence(name, finding))
    typer.echo(_summary(list(reports.values())), err=True)
    if any(report.findings for report in reports.values()):
        raise typer.Exit(1)


def sentence(name: str, finding: Finding) -> str:
    """A finding with its place, as editors jump to it."""
    place = f"{finding.path}: " if finding.path else ""
    return f"{name}:{finding.line}: {finding.subject}: {place}{finding.message}"


def _summary(reports: list[Report]) -> str:
    checked = sum(report.checked for report in reports)
    wrong = sum(len(report.findings) for report in reports)
    if not checked and not wrong:
        return "nothing to check: no object of agentrollouts.io in there"
    objects = f"{checked} object" + ("" if checked == 1 else "s")
    return f"{objects} checked, {wrong} problem(s)" if wrong else f"{objects} checked, all good"


def _texts(files: list[str]) -> list[tuple[str, str]]:
    texts: list[tuple[str, str]] = []
    for name in files:
        if name == "-":
            texts.append(("standard input", sys.stdin.read()))
            continue
        path = Path(name)
        found = sorted((*path.rglob("*.yaml"), *path.rglob("*.yml"))) if path.is_dir() else [path]
        texts.extend((str(each), text_of(each)) for each in found)
    return texts


def text_of(path: Path) -> str:
    """A file's text. Raises CommandError where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise CommandError(f"can't read {path}: {reason}") from error
