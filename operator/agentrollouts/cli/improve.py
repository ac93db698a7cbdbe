"""The verb `improve`: one run of the improver by hand, with the user's own rights."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from agentrollouts.cli import options
from agentrollouts.cli.errors import CommandError, error_about
from agentrollouts.improver.settings import LISTEN, PREFIX, read_settings
from agentrollouts.ports import ConflictError, GoneError, TerminalError, TransientError
from agentrollouts.replay.errors import ReplayError


def improve_command(
    agent: options.Agent,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask and try, print the prompt, and write nothing.")
    ] = False,
    listen: Annotated[
        str,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Where the AGENT_REPLAY_URL of the trial's agent leads: the recorded results.",
            show_default=f"${PREFIX}LISTEN or {LISTEN}",
        ),
    ] = "",
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
) -> None:
    """Write a better system prompt from the agent's failures, try it, and propose it as a new version. Prints JSON.

    Exit status: 0 proposed, or held for a reason; 3 refused; 2 settings that can't be used; 1 the cluster couldn't be asked.
    """
    try:
        settings = read_settings(os.environ, listen=listen)
    except ValueError as error:
        raise CommandError(str(error), status=2) from error
    from agentrollouts.improver.wiring import run

    try:
        outcome = asyncio.run(
            run(settings, agent, dry_run=dry_run, namespace=namespace, context=context, kubeconfig=kubeconfig)
        )
    except ReplayError as error:
        raise CommandError(str(error), status=2) from error
    except (ConflictError, GoneError, TransientError, TerminalError) as error:
        raise error_about(error) from error
    typer.echo(outcome.model_dump_json(indent=2, exclude_none=True))
    raise typer.Exit(outcome.exit_code)
