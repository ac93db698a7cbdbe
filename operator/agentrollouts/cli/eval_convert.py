"""The verb `eval convert`: results of other tools for `eval gate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.eval_options import (
    INVALID,
    Agent,
    ArtifactDigest,
    ResultsFile,
    Version,
    about,
    score_of,
)
from agentrollouts.evals.convert import Tool, convert
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.files import bytes_of, put
from agentrollouts.evals.results import written


def convert_command(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="What the tool wrote: JSON, or a log of Inspect.")
    ],
    *,
    tool: Annotated[Tool, typer.Option("--from", help="Which tool wrote it.")],
    output: ResultsFile,
    agent: Agent = "",
    version: Version = "",
    artifact_digest: ArtifactDigest = "",
) -> None:
    """Take the results of promptfoo, DeepEval or Inspect. Exit status 2 if the file can't be used."""
    try:
        found = convert(bytes_of(Path(file)), tool, **about(agent, version, artifact_digest))
        put(Path(output), written(found).encode())
    except InputError as error:
        raise CommandError(f"{file}: {error}", status=INVALID) from error
    typer.echo(score_of(found))
