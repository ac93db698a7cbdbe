"""Options of `replay run`, and how a report is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from agentrollouts.replay import words
from agentrollouts.replay.pace import at_tenths
from agentrollouts.replay.report import Report

INVALID = 2
"""Exit status where nothing can be judged, which isn't a failed replay."""


class Outcome(StrEnum):
    """What users met a task as."""

    ANY = "any"
    SUCCESS = "success"
    FAILURE = "failure"


Source = Annotated[
    str,
    typer.Option(
        "--from", metavar="FILE|ledger", help="Recorded tasks: a file of JSON lines, or the ledger."
    ),
]
Candidate = Annotated[
    str, typer.Option("--candidate", metavar="URL", help="Where the candidate takes tasks, in replay mode.")
]
Incumbent = Annotated[
    str, typer.Option("--incumbent", metavar="URL", help="Where the version in use does, in replay mode.")
]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write the report there.")]
Listen = Annotated[
    str,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        help="Where the agents' AGENT_REPLAY_URL leads: the recorded results.",
    ),
]


def progress(what: str = "answers") -> Callable[[int, int], None]:
    """One line that is written over on a terminal; elsewhere a line at each tenth, as a log can bear. ``what`` is counted."""
    if not sys.stderr.isatty():
        return at_tenths(partial(typer.echo, err=True), what)

    def show(done: int, total: int) -> None:
        typer.echo(f"\r{done} of {total} {what}", err=True, nl=done == total)

    return show


def tell(report: Report, most: int) -> None:
    """Print a report as text."""
    for line in words.text(report, most):
        typer.echo(line)
