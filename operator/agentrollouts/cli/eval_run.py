"""The verb `eval run`: a dataset against a version, into a file of results."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from agentrollouts.cli import quantities
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
from agentrollouts.cli.interruption import is_interrupted
from agentrollouts.evals.attempts import Attempt, results_of
from agentrollouts.evals.dataset import Tasks, load
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.files import check_writable, put, text_of
from agentrollouts.evals.results import written
from agentrollouts.evals.run import Pace, in_order, run
from agentrollouts.evals.scorers import scorers_named
from agentrollouts.evals.target import FunctionTarget, Target, function_named, is_url

INTERRUPTED = 130
_YAML = (".yaml", ".yml")


def run_command(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="pydantic-evals' YAML or JSON.")],
    *,
    target: Annotated[str, typer.Option("--target", help="URL to POST each task to, or module:function.")],
    output: ResultsFile,
    answer: Annotated[
        str, typer.Option("--answer", metavar="FIELD", help="Which field of the JSON that a URL answers.")
    ] = "",
    repeat: Annotated[
        int, typer.Option("--repeat", min=1, max=1000, help="How often each case is done.")
    ] = 1,
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=1000, help="Tasks in flight at once.")
    ] = 4,
    timeout: Annotated[
        str, typer.Option("--timeout", help="How long an answer may take, such as 90s.")
    ] = "60s",
    scorer: Annotated[
        list[str] | None,
        typer.Option("--scorer", metavar="MODULE:CLASS", help="A scorer of your own; may be repeated."),
    ] = None,
    agent: Agent = "",
    version: Version = "",
    artifact_digest: ArtifactDigest = "",
) -> None:
    """Run a dataset. A task that breaks scores 0. Exit status 2 if nothing can be run, 130 if interrupted."""
    pace = Pace(repeat, concurrency, quantities.duration(timeout, "--timeout").total_seconds())
    try:
        told = about(agent, version, artifact_digest)
        tasks = load(
            text_of(Path(dataset)),
            yaml=Path(dataset).suffix.lower() in _YAML,
            scorers=scorers_named(scorer or ()),
        )
        check_writable(Path(output))
        done: list[Attempt] = []
        partial = is_interrupted(_run(tasks, target, answer, pace, done))
        if not done:
            raise CommandError("interrupted before anything was done; nothing is written", status=INTERRUPTED)
        found = results_of(
            in_order(tasks, done), repeats=repeat, dataset_digest=tasks.digest, partial=partial, **told
        )
        put(Path(output), written(found).encode())
    except InputError as error:
        raise CommandError(str(error), status=INVALID) from error
    for name in tasks.left_out:
        typer.echo(f"! report evaluator {name} is left out: it scores no case", err=True)
    typer.echo(score_of(found))
    if partial:
        raise CommandError(
            f"interrupted after {len(done)} of {len(tasks.tasks) * repeat} tasks; {output} is partial, and eval gate refuses it",
            status=INTERRUPTED,
        )


async def _run(tasks: Tasks, target: str, answer: str, pace: Pace, done: list[Attempt]) -> None:
    async with AsyncExitStack() as stack:
        await run(
            tasks,
            await _opened(stack, target, answer, pace),
            pace,
            name=f"eval-{os.urandom(4).hex()}",
            done=done,
        )


async def _opened(stack: AsyncExitStack, target: str, answer: str, pace: Pace) -> Target:
    if not is_url(target):
        if answer:
            raise InputError("--answer: expected a URL as --target; a function's answer is what it returns")
        return FunctionTarget(function_named(target))
    import httpx

    from agentrollouts.evals.http_target import HttpTarget

    # The deadline is the run's own; the pool is as large as what may be in flight.
    limits = httpx.Limits(max_connections=pace.concurrency)
    client = await stack.enter_async_context(httpx.AsyncClient(timeout=None, limits=limits))  # noqa: S113 - asyncio.timeout is around it
    return HttpTarget(client, target, field=answer)
