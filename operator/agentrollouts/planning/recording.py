"""Recorded looks: what the counters showed at each, as JSON lines, so that a rollout can be decided again.

The first line says whose looks they are, every other one is a look::

    {"recording": 1, "stable": "1.0.0", "candidate": "2.0.0"}
    {"at": "2026-01-05T09:00:00+00:00", "counters": {"1.0.0": {"stable": {"agent_tasks_total": {"success": 118.0}}}}}
    {"at": "2026-01-05T09:01:00+00:00", "unavailable": "Prometheus didn't answer within 5 s"}

Counters are cumulative, summed over pods, by version, cohort, metric and the value of the kept label (empty where there is none).
One that isn't in a line stands as in the line before. The first look is at the moment the candidate started.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.evidence import Arm, Cell, Unavailable
from agentrollouts.planning.run import Outcome, Seen, begin
from agentrollouts.planning.world import Counters

FORMAT = 1

Look = tuple[datetime, Counters | Unavailable]


@dataclass(frozen=True, slots=True)
class Recording:
    """The looks at one candidate, oldest first."""

    stable: str
    candidate: str
    looks: tuple[Look, ...]


class RecordingError(ValueError):
    """A recording that can't be read: the line, what was expected and what was seen."""


def written(recording: Recording) -> Iterator[str]:
    """The lines. What didn't change since the line before is left out."""
    yield _line({"recording": FORMAT, "stable": recording.stable, "candidate": recording.candidate})
    known: dict[tuple[Arm, Cell], float] = {}
    for at, counters in recording.looks:
        if isinstance(counters, Unavailable):
            yield _line({"at": at.isoformat(), "unavailable": counters.reason})
            continue
        changed: dict[str, Any] = {}
        for arm, cells in counters.items():
            for cell, value in cells.items():
                if known.get((arm, cell)) != value:
                    known[arm, cell] = value
                    cohort = changed.setdefault(arm.version, {}).setdefault(arm.cohort, {})
                    cohort.setdefault(cell.metric, {})[cell.value] = value
        yield _line({"at": at.isoformat(), "counters": changed})


def read(lines: Iterable[str]) -> Recording:
    """The recording in these lines; empty ones don't count.

    Raises:
        RecordingError: a line that is no such line, or out of order.
    """
    head: Mapping[str, Any] | None = None
    looks: list[Look] = []
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        value = _object(number, text)
        if head is None:
            head = _head(number, value)
            continue
        look = _look(number, value)
        if looks and look[0] <= looks[-1][0]:
            raise _problem(number, f"a moment after {looks[-1][0].isoformat()}", look[0].isoformat())
        looks.append(look)
    if head is None or not looks:
        raise RecordingError("expected a line that says what was recorded, and at least one look; got none")
    return Recording(head["stable"], head["candidate"], tuple(looks))


def replay(
    spec: RolloutSpec, recording: Recording, *, approval: timedelta | None = timedelta(0)
) -> tuple[Outcome, tuple[Seen, ...]]:
    """Decide again what was recorded: every look until the end of the rollout.

    Raises:
        RecordingError: it is of another candidate than ``spec`` asks for.
        NothingToPlanError: there is nothing to roll out.
    """
    if recording.candidate != spec.version:
        raise RecordingError(
            f"expected a recording of {spec.version}, which spec.version asks for; it is of {recording.candidate}"
        )
    run = begin(spec, stable=recording.stable, now=recording.looks[0][0], approval=approval)
    seen: list[Seen] = []
    for at, counters in recording.looks:
        seen.append(run.look(at, counters))
        if run.is_over:
            break
    return run.outcome, tuple(seen)


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _problem(number: int, expected: str, got: object) -> RecordingError:
    return RecordingError(f"line {number}: expected {expected}; got {str(got)[:200]}")


def _object(number: int, text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise _problem(number, "a JSON object", f"{text.strip()[:80]!r} ({error})") from error
    if not isinstance(value, dict):
        raise _problem(number, "a JSON object", text.strip())
    return value


def _head(number: int, value: Mapping[str, Any]) -> Mapping[str, Any]:
    if value.get("recording") != FORMAT:
        raise _problem(number, f'a line with "recording": {FORMAT} first', value)
    if not all(isinstance(value.get(name), str) and value[name] for name in ("stable", "candidate")):
        raise _problem(number, "the versions under stable and candidate", value)
    return value


def _look(number: int, value: Mapping[str, Any]) -> Look:
    try:
        at = datetime.fromisoformat(value["at"])
    except (KeyError, TypeError, ValueError) as error:
        raise _problem(number, "a moment such as 2026-01-05T09:00:00+00:00 under at", value) from error
    if at.tzinfo is None:
        raise _problem(number, "a moment with its offset from UTC", value["at"])
    if isinstance(value.get("unavailable"), str):
        return at, Unavailable(value["unavailable"])
    try:
        return at, _counters(value["counters"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _problem(
            number, "counters by version, cohort, metric and value, or unavailable", value
        ) from error


def _counters(found: Any) -> Counters:
    return {
        Arm(version, cohort): {
            Cell(metric, label): float(number)
            for metric, values in metrics.items()
            for label, number in values.items()
        }
        for version, cohorts in found.items()
        for cohort, metrics in cohorts.items()
    }
