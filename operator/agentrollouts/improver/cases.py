"""The tasks a revision is written from and tried on: finished ones of the serving version whose right answer is known. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.plan import is_truncated

LEAST: Final = 20
"""Fewer failures than this teach nothing, and fewer passing tasks don't show what breaks."""
MOST: Final = 100
"""The newest failures that are read; of the passing tasks as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """What the ledger had of one version, the newest first: whole records, for a trial answers an agent's tools from them.

    ``seen`` are its failures before any was left out.
    """

    failing: tuple[TaskRecord, ...]
    passing: tuple[TaskRecord, ...]
    seen: int


def choose(failures: Iterable[TaskRecord], successes: Iterable[TaskRecord], *, version: str) -> Cases:
    """The cases of a version. An input counts once, by its newest task; one that failed is no passing one.

    Left out are tasks without a right answer, those cut short by the ledger's limit, and failures whose answer was right: a prompt
    isn't what went wrong there, or nobody could see it get better.
    """
    failed = [record for record in failures if _is_of(record, version) and record.outcome == "failure"]
    passed = [record for record in successes if _is_of(record, version) and record.outcome == "success"]
    failing = _distinct([record for record in failed if not agrees(record.output, record.expected)], set())
    known = {_written(case.input) for case in failing}
    passing = _distinct([record for record in passed if agrees(record.output, record.expected)], known)
    return Cases(failing=failing[:MOST], passing=passing[:MOST], seen=len(failed))


def agrees(output: JsonValue, expected: JsonValue) -> bool:
    """Whether an answer is the right one: of an object every field that is expected, of anything else all of it."""
    if isinstance(expected, Mapping):
        return isinstance(output, Mapping) and all(
            name in output and agrees(output[name], value) for name, value in expected.items()
        )
    if isinstance(expected, str) and isinstance(output, str):
        return output.strip() == expected.strip()
    # NB: Python takes True for 1, and JSON doesn't.
    return type(output) is type(expected) and output == expected


def _is_of(record: TaskRecord, version: str) -> bool:
    whole = not any(map(is_truncated, (record.input, record.output, record.expected)))
    return record.version == version and not record.shadow and record.expected is not None and whole


def _distinct(records: Sequence[TaskRecord], known: set[str]) -> tuple[TaskRecord, ...]:
    newest = sorted(records, key=lambda record: (record.finished_at, record.id), reverse=True)
    found: dict[str, TaskRecord] = {}
    for record in newest:
        key = _written(record.input)
        if key not in known:
            found.setdefault(key, record)
    return tuple(found.values())


def _written(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True)
