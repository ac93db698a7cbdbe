"""The verb `replay run`. Exit status 0 pass, 1 fail, 2 input that can't be used or agents that can't be asked, 3 inconclusive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from agentrollouts.cli import quantities
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.interruption import is_interrupted
from agentrollouts.cli.ledger import Ledger, TokenFile
from agentrollouts.cli.replay_embedding import (
    EmbeddingKeyFile,
    EmbeddingModel,
    EmbeddingUrl,
)
from agentrollouts.cli.replay_options import (
    INVALID,
    Candidate,
    Incumbent,
    Listen,
    Outcome,
    Output,
    Source,
    progress,
    tell,
)
from agentrollouts.embeddings.endpoint import Endpoint, endpoint_of
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.files import check_writable, put
from agentrollouts.replay.attempt import Lane
from agentrollouts.replay.comparison import NO_VECTORS, THRESHOLDS, Compare, Rule, Tools, threshold_of
from agentrollouts.replay.disagreement import comparisons
from agentrollouts.replay.embedding import Vectors
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.journal import Journal
from agentrollouts.replay.judge import Limits
from agentrollouts.replay.pace import Asked, Pace, address, url
from agentrollouts.replay.plan import Plan
from agentrollouts.replay.records import Records, drawn
from agentrollouts.replay.report import Report, written
from agentrollouts.replay.summarise import summarised
from agentrollouts.replay.words import summary

STATUS = MappingProxyType({"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3})
INTERRUPTED = 130


def run_command(
    *,
    source: Source,
    candidate: Candidate,
    incumbent: Incumbent,
    output: Output,
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="How many tasks are done again.")] = 200,
    max_disagreement: Annotated[
        str, typer.Option("--max-disagreement", help="Changed decisions beyond the incumbent's own.")
    ] = "5%",
    max_noise: Annotated[
        str, typer.Option("--max-noise", help="The incumbent's own, beyond which nothing can be told.")
    ] = "50%",
    compare: Annotated[
        Compare, typer.Option("--compare", help="By what answers are compared.")
    ] = Compare.EXACT,
    answer: Annotated[
        str,
        typer.Option(
            "--answer", metavar="PATH", help="What of an answer, such as label.", show_default="all of it"
        ),
    ] = "",
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="PATH", help="structured: what doesn't count.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0,
            max=1,
            help="text, embedding: from which similarity on.",
            show_default=", ".join(f"{kind} {usual:g}" for kind, usual in THRESHOLDS.items()),
        ),
    ] = None,
    embedding_url: EmbeddingUrl = "",
    embedding_model: EmbeddingModel = "",
    embedding_key_file: EmbeddingKeyFile = "",
    tools: Annotated[
        Tools,
        typer.Option(
            "--tools", help="Whose calls belong to a decision: all tools not marked safe, all, none."
        ),
    ] = Tools.EFFECTS,
    field: Annotated[
        str, typer.Option("--input", metavar="FIELD", help="Where an input goes that is no object.")
    ] = "input",
    concurrency: Annotated[
        int, typer.Option("--concurrency", min=1, max=256, help="Answers awaited at once.")
    ] = 4,
    timeout: Annotated[
        str, typer.Option("--timeout", help="How long an answer may take, such as 90s.")
    ] = "60s",
    seed: Annotated[str, typer.Option("--seed", help="Of the sample of tasks.")] = "replay",
    listen: Listen = "127.0.0.1:8199",
    journal: Annotated[
        str,
        typer.Option(
            "--journal", metavar="FILE", help="What is done.", show_default="the report's name and .journal"
        ),
    ] = "",
    summary_file: Annotated[
        str,
        typer.Option(
            "--summary", metavar="FILE", help="Write verdict and numbers there, 4096 bytes at most."
        ),
    ] = "",
    agent: Annotated[str, typer.Option("--agent", help="Whose tasks.", show_default=False)] = "",
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Where that agent runs.", show_default=False)
    ] = "",
    version: Annotated[
        str, typer.Option("--recorded-version", help="Only tasks of this version.", show_default=False)
    ] = "",
    outcome: Annotated[
        Outcome, typer.Option("--outcome", help="Only tasks that users met as this.")
    ] = Outcome.ANY,
    ledger: Ledger = "",
    token_file: TokenFile = "",
) -> None:
    """Do recorded tasks again in both lanes, tools answered from the record, and judge what changed. Started again, it goes on."""
    limits = Limits(
        quantities.share(max_disagreement, "--max-disagreement"), quantities.share(max_noise, "--max-noise")
    )
    rule = Rule(compare, answer, tuple(ignore or ()), threshold_of(compare, threshold), tools)
    try:
        asked = Asked(
            MappingProxyType(
                {Lane.CANDIDATE: url(candidate, "--candidate"), Lane.INCUMBENT: url(incumbent, "--incumbent")}
            ),
            address(listen),
            field,
            quantities.duration(timeout, "--timeout").total_seconds(),
            Pace(concurrency),
        )
        embedding = endpoint_of(
            compare,
            where=embedding_url,
            model=embedding_model,
            key_file=embedding_key_file,
            timeout=asked.timeout,
        )
        rule = replace(rule, embedding_model=embedding.model if embedding else "")
        for name in filter(None, (output, summary_file)):
            check_writable(Path(name))
        path = Path(journal or f"{output}.journal")
        with Journal(path, {"candidate": candidate, "incumbent": incumbent, "seed": seed}) as kept:
            records = Records(
                source=source,
                namespace=namespace,
                agent=agent,
                version=version,
                outcome="" if outcome is Outcome.ANY else outcome.value,
                ledger=ledger,
                token_file=token_file,
            )
            plan = drawn(kept, records, tasks, seed=seed)
            vectors = NO_VECTORS

            async def work() -> None:
                nonlocal vectors
                vectors = await _run(plan, asked, kept, embedding, rule)

            if is_interrupted(work()):
                raise CommandError(
                    f"interrupted after {len(kept.kept.done)} answers; the same command goes on from {path}",
                    status=INTERRUPTED,
                )
            compared = comparisons(plan.tasks, kept.kept.done, rule, vectors)
        found = summarised(compared, plan, rule, limits, asked=tasks, urls=asked.urls)
        _keep(found, output, summary_file)
    except (ReplayError, InputError) as error:
        raise CommandError(str(error), status=INVALID) from error
    tell(found, 20)
    raise typer.Exit(STATUS[found.verdict])


def _keep(found: Report, output: str, summary_file: str) -> None:
    put(Path(output), written(found).encode())
    if summary_file:
        put(Path(summary_file), summary(found))


async def _run(plan: Plan, asked: Asked, journal: Journal, embedding: Endpoint | None, rule: Rule) -> Vectors:
    from agentrollouts.replay.asking import ask
    from agentrollouts.replay.embed import answers_embedded

    await ask(plan, asked, journal, progress())
    return await answers_embedded(embedding, plan, journal, rule, progress("embeddings"))
