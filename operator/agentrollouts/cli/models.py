"""The verbs under `models`: which model each step uses, from the registry into a release."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.lint import text_of
from agentrollouts.cli.models_lint import lint_command
from agentrollouts.cli.models_options import Agent, Overrides, RegistryFile, as_sentences, models_in
from agentrollouts.cli.models_sentinel import sentinel_command
from agentrollouts.cli.world_options import JsonOutput
from agentrollouts.models.registry import KEY
from agentrollouts.models.report import document, shown
from agentrollouts.models.resolve import model_part, problems_of, steps_of

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Which model each step of an agent uses: one registry, and nothing in code.",
)


def show_command(
    agent: Agent,
    *,
    step: Annotated[str, typer.Option("--step", help="This step only.", show_default=False)] = "",
    registry: RegistryFile = KEY,
    override: Overrides = None,
    output: JsonOutput = None,
) -> None:
    """Print what each step uses and where each value comes from. Exit status 1 if a step couldn't be released."""
    with as_sentences():
        steps = steps_of(models_in(registry, override), agent)
    chosen = [used for used in steps if step in ("", used.step)]
    if not chosen:
        raise CommandError(f"{agent} has no step {step}; it has {', '.join(used.step for used in steps)}")
    if output is None:
        typer.echo(shown(chosen), nl=False)
    else:
        typer.echo(json.dumps(document(agent, chosen), indent=2, ensure_ascii=False))
    problems = [problem for used in chosen for problem in problems_of(used)]
    if problems:
        raise CommandError("\n".join(map(str, problems)))


def render_command(
    agent: Agent,
    *,
    registry: RegistryFile = KEY,
    override: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there.", show_default=False),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit status 1 if the file says something else.")
    ] = False,
) -> None:
    """Make the model part of a release: the file that release.yaml names as its model."""
    with as_sentences():
        part = model_part(models_in(registry, override), agent)
    text = json.dumps(part, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if output is None:
        if check:
            raise CommandError("--check needs -o, the file to compare with", status=2)
        typer.echo(text, nl=False)
    elif check:
        if not output.is_file() or text_of(output) != text:
            raise CommandError(f"{output} isn't what the registry says: render it again without --check")
    else:
        try:
            output.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise CommandError(f"can't write {output}: {error.strerror}") from error


for _name, _command in (
    ("show", show_command),
    ("render", render_command),
    ("lint", lint_command),
    ("sentinel", sentinel_command),
):
    app.command(_name)(_command)
