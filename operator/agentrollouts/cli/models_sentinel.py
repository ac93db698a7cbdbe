"""The verb `models sentinel`: one look at a version's probes, for a CronJob. It tells, and changes no rollout."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from agentrollouts.api.base import API_VERSION, GROUP
from agentrollouts.cli import quantities
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.models_options import as_sentences
from agentrollouts.cli.world_options import JsonOutput
from agentrollouts.evals.attempts import Attempt
from agentrollouts.evals.dataset import Tasks, load
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.files import check_writable, put, text_of
from agentrollouts.evals.results import Results, read
from agentrollouts.evals.run import Pace, in_order, run
from agentrollouts.models.sentinel import Look, Sentinel, document, sentinel

if TYPE_CHECKING:
    from agentrollouts.evals.target import Target

INVALID = 2
REASON = "ModelDrifted"
CONTROLLER = f"{GROUP}/sentinel"
ROUTED = "x-routed-version"
"""What a router says of who answered."""


def sentinel_command(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="The probes: pydantic-evals' YAML or JSON.")
    ],
    *,
    target: Annotated[str, typer.Option("--target", help="URL to POST each probe to.")],
    baseline: Annotated[
        Path,
        typer.Option(
            "--baseline", metavar="FILE", help="What the version came to when it was accepted (eval run)."
        ),
    ],
    state: Annotated[
        Path, typer.Option("--state", metavar="FILE", help="Kept between two looks; made at the first one.")
    ],
    answer: Annotated[
        str, typer.Option("--answer", metavar="FIELD", help="Which field of the JSON that the URL answers.")
    ] = "",
    repeat: Annotated[
        int, typer.Option("--repeat", min=1, max=1000, help="How often each probe is asked.")
    ] = 3,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=1000, help="Probes in flight.")] = 4,
    timeout: Annotated[str, typer.Option("--timeout", help="How long an answer may take.")] = "60s",
    alpha: Annotated[
        str, typer.Option("--alpha", help="The chance of any false alarm, however often this is run.")
    ] = "1%",
    allowed: Annotated[
        str, typer.Option("--allowed", help="How far the mean score may move without being a drift.")
    ] = "5%",
    artifact_digest: Annotated[
        str,
        typer.Option("--artifact-digest", help="Refuse a baseline of another artifact.", show_default=False),
    ] = "",
    event_namespace: Annotated[
        str,
        typer.Option(
            "--event-namespace",
            help="Write an Event on the AgentVersion in this namespace.",
            show_default=False,
        ),
    ] = "",
    kubeconfig: Annotated[
        str,
        typer.Option("--kubeconfig", help="To write the Event with, outside of a pod.", show_default=False),
    ] = "",
    output: JsonOutput = None,
) -> None:
    """Ask the probes once more. Exit status 1 if the model drifted, 2 if a probe gave no answer or the input can't be used."""
    pace = Pace(repeat, concurrency, quantities.duration(timeout, "--timeout").total_seconds())
    chance = quantities.share(alpha, "--alpha")
    if not 0.0 < chance < 1.0:
        raise CommandError(f"--alpha: expected more than 0% and less than 100%; got {alpha}", status=INVALID)
    try:
        with as_sentences(status=INVALID):
            tasks = load(text_of(Path(dataset)), yaml=Path(dataset).suffix.lower() in (".yaml", ".yml"))
            found = sentinel(
                read(text_of(baseline)),
                dataset_digest=tasks.digest,
                artifact_digest=artifact_digest,
                alpha=chance,
                allowed=quantities.share(allowed, "--allowed"),
            )
            before, anew = found.state_in(text_of(state) if state.exists() else None)
        _check_named(found.baseline, event_namespace)
        check_writable(state)
        if anew:
            typer.echo(f"! {state} was about another baseline or other options: begun anew", err=True)
        attempts = asyncio.run(_asked(tasks, target, answer, pace, found.baseline))
        look = found.look(before, attempts)
        put(state, look.state.text.encode())
    except InputError as error:
        raise CommandError(str(error), status=INVALID) from error
    events = _Events(event_namespace, Path(kubeconfig) if kubeconfig else None) if event_namespace else None
    _tell(found, look, events, as_json=output is not None)


def _tell(of: Sentinel, look: Look, events: _Events | None, *, as_json: bool) -> None:
    typer.echo(json.dumps(document(of, look), indent=2, ensure_ascii=False) if as_json else look.sentence)
    for name, error in look.silent.items():
        typer.echo(f"! {name}: no answer: {error}", err=True)
    if look.drifted:
        if events is not None:
            _record(of.baseline, look.sentence, events)
        since = "" if look.state.drifted == look.sentence else f"; first seen: {look.state.drifted}"
        raise CommandError(f"the model drifted though nothing was deployed{since}")
    if look.silent:
        raise CommandError(
            f"{len(look.silent)} probe(s) gave no answer, so nothing is known about them", status=INVALID
        )


async def _asked(tasks: Tasks, url: str, answer: str, pace: Pace, baseline: Results) -> list[Attempt]:
    import httpx

    from agentrollouts.evals.http_target import HttpTarget
    from agentrollouts.evals.target import TargetError

    async def same_version(response: httpx.Response) -> None:
        """A router that has moved on, or a rollout under way, would have another version's answers taken for a drift."""
        routed = response.headers.get(ROUTED, "")
        if baseline.version and routed and routed != baseline.version:
            raise TargetError(f"version {routed} answered; the baseline is of {baseline.version}")

    limits = httpx.Limits(max_connections=pace.concurrency)
    done: list[Attempt] = []
    hooks = {"response": [same_version]}
    # The deadline is the run's own.
    client = httpx.AsyncClient(timeout=None, limits=limits, event_hooks=hooks)  # noqa: S113
    async with client:
        to: Target = HttpTarget(client, url, field=answer)
        await run(tasks, to, pace, name=f"sentinel-{os.urandom(4).hex()}", done=done)
    return in_order(tasks, done)


def _check_named(baseline: Results, event_namespace: str) -> None:
    if event_namespace and not (baseline.agent and baseline.version):
        raise InputError(
            "--event-namespace: expected a baseline with agent and version (eval run --agent --version)"
        )


class _Events(NamedTuple):
    """Where Events go, and with whose rights: the pod's without a kubeconfig."""

    namespace: str
    kubeconfig: Path | None


def _record(baseline: Results, sentence: str, to: _Events) -> None:
    """The Event. Where it can't be written that is said, and the exit status still tells of the drift."""
    from agentrollouts.ports import ConflictError, GoneError, TerminalError, TransientError

    try:
        asyncio.run(_sent(baseline, sentence, to))
    except (ConflictError, GoneError, TerminalError, TransientError) as error:
        typer.echo(f"! no Event was written: {error}", err=True)


async def _sent(baseline: Results, sentence: str, to: _Events) -> None:
    from agentrollouts.kube.connection import Connection, Request
    from agentrollouts.kube.resources import collection_path

    connection = await Connection.open(to.kubeconfig)
    try:
        event = drift_event(baseline, sentence, to.namespace, now=datetime.now(UTC))
        path = collection_path(event["apiVersion"], event["kind"], namespace=to.namespace)
        await connection.send(Request("POST", path, event))
    finally:
        await connection.close()


def drift_event(baseline: Results, sentence: str, namespace: str, *, now: datetime) -> dict[str, Any]:
    """A Warning on the AgentVersion. NB: without its uid, which nobody reads here: the account may create Events and nothing else."""
    from agentrollouts.kube.events import MAX_NOTE, event_of
    from agentrollouts.ports import Reference

    about = Reference(
        f"{GROUP}/{API_VERSION}", "AgentVersion", namespace, f"{baseline.agent}-{baseline.version}"
    )
    event = event_of(about, reason=REASON, note=sentence[:MAX_NOTE], type="Warning", now=now)
    return {**event, "reportingController": CONTROLLER}
