"""The program ``agentrollout``, which kubectl finds as ``kubectl agentrollout``."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from agentrollouts.cli import (
    answer,
    attestation,
    diff,
    improve,
    ledger,
    lint,
    models,
    plan,
    release,
    replay,
    show,
    simulate,
    status,
    steer,
)
from agentrollouts.cli import eval as evals
from agentrollouts.cli.errors import CommandError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Progressive delivery for AI agents: see how a new version earns its traffic, and have a say in it.",
)
for name, command in (
    ("list", show.list_command),
    ("get", show.get_command),
    ("status", status.status_command),
    ("history", show.history_command),
    ("approve", answer.approve_command),
    ("reject", answer.reject_command),
    ("pause", steer.pause_command),
    ("resume", steer.resume_command),
    ("abort", steer.abort_command),
    ("retry", steer.retry_command),
    ("undo", steer.undo_command),
    ("lint", lint.lint_command),
    ("plan", plan.plan_command),
    ("simulate", simulate.simulate_command),
    ("diff", diff.diff_command),
    ("attestation", attestation.attestation_command),
    ("evidence", ledger.evidence_command),
    ("tasks", ledger.tasks_command),
    ("improve", improve.improve_command),
):
    app.command(name)(command)
app.add_typer(release.release, name="release")
app.add_typer(evals.app, name="eval")
app.add_typer(models.app, name="models")
app.add_typer(replay.app, name="replay")


_TARGETING = ("-n", "--namespace", "--context", "--kubeconfig")


def verb_first(arguments: list[str]) -> list[str]:
    """Kubectl takes its options before the verb as well as after it, so hands have learned both."""
    before = 0
    while before < len(arguments) and arguments[before].partition("=")[0] in _TARGETING:
        before += 1 if "=" in arguments[before] else 2
    return arguments[before : before + 1] + arguments[:before] + arguments[before + 1 :]


def main() -> None:
    """Run one command; what goes wrong is one sentence on standard error."""
    called = Path(sys.argv[0]).name
    program = "kubectl agentrollout" if called.startswith("kubectl") else "agentrollout"
    try:
        app(verb_first(sys.argv[1:]), prog_name=program)
    except CommandError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.status)


if __name__ == "__main__":
    main()
