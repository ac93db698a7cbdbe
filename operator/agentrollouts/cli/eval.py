"""The verbs under `eval`: evaluate a version, judge what came of it, and take results from other tools."""

from __future__ import annotations

import typer

from agentrollouts.cli import eval_convert, eval_gate, eval_run

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Evaluate a version before it gets traffic: run a dataset, gate on the results.",
)
for name, command in (
    ("run", eval_run.run_command),
    ("gate", eval_gate.gate_command),
    ("convert", eval_convert.convert_command),
):
    app.command(name)(command)
