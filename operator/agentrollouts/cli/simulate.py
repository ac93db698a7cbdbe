"""The verb `simulate`: one rollout through the real decisions, over synthetic or recorded evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from agentrollouts.api.scalars import FULL, format_percent
from agentrollouts.cli import quantities
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.lint import text_of
from agentrollouts.cli.subject import OLD, Subject, from_file
from agentrollouts.cli.world_options import (
    Approval,
    Correlation,
    Cost,
    JsonOutput,
    Seed,
    Success,
    Tasks,
    Traffic,
    world_of,
)
from agentrollouts.planning.limits import left_out
from agentrollouts.planning.recording import Recording, RecordingError, read, replay, written
from agentrollouts.planning.run import NothingToPlanError, Outcome, Seen
from agentrollouts.planning.simulation import Journal, Pace, simulate
from agentrollouts.planning.spans import lasting

WORDS: Mapping[Outcome, str] = {
    "Promoted": "promoted",
    "RolledBack": "rolled back",
    "Paused": "paused until a person resumes",
    "Unfinished": "undecided",
}


def simulate_command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="YAML with a Rollout; - is standard input.")],
    *,
    agent: Annotated[str, typer.Option("--agent", help="Which Rollout, where FILE has several.")] = "",
    effect: Annotated[
        str, typer.Option("--effect", help="How many points of success the candidate gains, such as -10.")
    ] = "0",
    evidence: Annotated[
        str, typer.Option("--evidence", metavar="FILE", help="Decide again what was recorded there.")
    ] = "",
    record: Annotated[
        str, typer.Option("--record", metavar="FILE", help="Write every look's counters there.")
    ] = "",
    traffic: Traffic = "",
    tasks: Tasks = None,
    success: Success = "",
    correlation: Correlation = None,
    cost: Cost = "",
    approval: Approval = "0s",
    horizon: Annotated[str, typer.Option("--horizon", help="How far ahead, such as 2d or 36h.")] = "2d",
    seed: Seed = 1,
    output: JsonOutput = None,
) -> None:
    """One rollout's timeline, through the operator's own decisions; the same for the same seed or recording."""
    subject, takes = from_file(file, agent), quantities.approval(approval)
    try:
        if evidence:
            recorded = read(text_of(Path(evidence)).splitlines())
            outcome, looks = replay(subject.spec, recorded, approval=takes)
            journal = Journal()
            for seen in looks:
                journal.add(seen)
            _show(subject, outcome, journal.looks(), output is not None)
            return
        world = world_of(
            None,
            traffic=traffic,
            tasks=tasks,
            success=success,
            correlation=correlation,
            cost=cost,
            effect=quantities.effect(effect),
        )
        pace = Pace(quantities.duration(horizon, "--horizon"))
        found = simulate(subject.spec, world, seed=seed, pace=pace, approval=takes, record=bool(record))
    except RecordingError as error:
        raise CommandError(f"{evidence}: {error}") from error
    except NothingToPlanError as error:
        raise CommandError(str(error)) from error
    if record:
        _write(Path(record), Recording(OLD, subject.spec.version, found.recorded))
    _show(subject, found.outcome, found.looks, output is not None)


def _write(path: Path, recording: Recording) -> None:
    try:
        path.write_text("".join(f"{line}\n" for line in written(recording)), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"can't write {path}: {error.strerror}") from error


def _show(subject: Subject, outcome: Outcome, looks: Sequence[Seen], as_json: bool) -> None:
    for warning in left_out(subject.spec):
        typer.echo(f"! {warning}", err=True)
    if as_json:
        typer.echo(json.dumps(document(subject, outcome, looks), indent=2, ensure_ascii=False))
        return
    for line in timeline(looks):
        typer.echo(line)
    took = looks[-1].at - looks[0].at
    spec = subject.spec
    typer.echo(
        f"{spec.agent} {spec.version} is {WORDS[outcome]} after {lasting(took)} ({spec.analysis.effective.mode} mode)"
    )


def timeline(looks: Sequence[Seen]) -> Iterator[str]:
    """A line for each look at which the share, the decision or its reason changed."""
    begin = looks[0].at
    for seen in looks:
        decision = seen.decision
        what = f"{type(decision).__name__} {decision.reason}"
        yield f"{lasting(seen.at - begin):>7} {format_percent(seen.share):>6}  {what}: {decision.message}"


def document(subject: Subject, outcome: Outcome, looks: Sequence[Seen]) -> Mapping[str, Any]:
    """The timeline as JSON: seconds since the start, shares as fractions, the verdicts behind each decision."""
    return {
        "agent": subject.spec.agent,
        "version": subject.spec.version,
        "mode": subject.spec.analysis.effective.mode,
        "outcome": outcome,
        "warnings": list(left_out(subject.spec)),
        "timeline": [_look(seen, looks[0].at) for seen in looks],
    }


def _look(seen: Seen, begin: datetime) -> Mapping[str, Any]:
    return {
        "seconds": round((seen.at - begin).total_seconds(), 3),
        "share": seen.share / FULL,
        "decision": type(seen.decision).__name__,
        "reason": seen.decision.reason,
        "message": seen.decision.message,
        "checks": [
            {"name": result.name, "verdict": result.verdict.value, "reason": result.reason}
            for result in seen.results
        ],
    }
