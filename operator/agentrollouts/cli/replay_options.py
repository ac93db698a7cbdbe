"""Options of `replay run`, and how a report is shown."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from agentrollouts.replay import words
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.report import Report

INVALID = 2
"""Exit status where nothing can be judged, which isn't a failed replay."""
_ADDRESS = re.compile(r"(?P<host>[^:\s]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")


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


def address(text: str) -> tuple[str, int]:
    """Host and port. Raises ReplayError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise ReplayError(f"--listen: expected HOST:PORT, such as 0.0.0.0:8199; got {text!r}")
    return found["host"].strip("[]"), int(found["port"])


def url(text: str, option: str) -> str:
    """An address that can be asked. Raises ReplayError."""
    if not re.match(r"https?://[^/\s]+", text):
        raise ReplayError(f"{option}: expected a URL such as http://127.0.0.1:8080/v1/tasks; got {text!r}")
    return text


def progress(what: str = "answers") -> Callable[[int, int], None]:
    """One line that is written over on a terminal; elsewhere a line at each tenth, as a log can bear. ``what`` is counted."""
    terminal, told = sys.stderr.isatty(), -1

    def show(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 if not total else done * 10 // total
        if terminal:
            typer.echo(f"\r{done} of {total} {what}", err=True, nl=done == total)
        elif tenth > told:
            told = tenth
            typer.echo(f"{done} of {total} {what}", err=True)

    return show


def tell(report: Report, most: int) -> None:
    """Print a report as text."""
    for line in words.text(report, most):
        typer.echo(line)
