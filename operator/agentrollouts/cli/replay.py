"""The verbs under `replay`: do recorded tasks again with a candidate and the incumbent, and read what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from agentrollouts.cli import replay_run
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.replay_options import INVALID, tell
from agentrollouts.cli.world_options import JsonOutput
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.files import text_of
from agentrollouts.replay import report as reports
from agentrollouts.replay import words
from agentrollouts.replay.errors import ReplayError


def report_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The report that `replay run` wrote.")],
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    most: Annotated[int, typer.Option("--most", min=0, help="Changed tasks to show side by side.")] = 20,
    output: JsonOutput = None,
) -> None:
    """Print a report. Exit status 0 pass, 1 fail, 2 no report, 3 inconclusive."""
    try:
        found = reports.read(text_of(Path(file)))
    except (ReplayError, InputError) as error:
        raise CommandError(f"{file}: {error}", status=INVALID) from error
    if output is not None:
        typer.echo(reports.written(found), nl=False)
    elif markdown:
        typer.echo("\n".join(words.markdown(found)))
    else:
        tell(found, most)
    raise typer.Exit(replay_run.STATUS[found.verdict])


def schema_command() -> None:
    """Print the JSON Schema of a report."""
    typer.echo(json.dumps(reports.Report.model_json_schema(by_alias=True), indent=2))


app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Do recorded tasks again before a version gets traffic, without an effect, and see which decisions change.",
)
for name, command in (
    ("run", replay_run.run_command),
    ("report", report_command),
    ("schema", schema_command),
):
    app.command(name)(command)
