"""The verb `diff`: what exactly differs between two releases."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from agentrollouts.cli.artifacts import PlainHttp, What, as_sentences, find
from agentrollouts.cli.world_options import JsonOutput
from agentrollouts.release.diff import diff
from agentrollouts.release.diff_report import document, report


def diff_command(
    old: What,
    new: What,
    *,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=200,
            metavar="BYTES",
            help="At most so many; says what is left out.",
            show_default=False,
        ),
    ] = None,
    output: JsonOutput = None,
    plain_http: PlainHttp = False,
) -> None:
    """What differs between two releases. What lets the agent do more comes first, marked with !."""
    with as_sentences():
        before, after = find(old, plain_http=plain_http), find(new, plain_http=plain_http)
    changes = diff(before, after)
    if output is not None:
        typer.echo(json.dumps(document(before, after, changes), indent=2, ensure_ascii=False))
        return
    typer.echo(report(before, after, changes, most=limit), nl=False)
