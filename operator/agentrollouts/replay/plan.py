"""Which recorded tasks are done again, and in which order."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.attempt import LANES, Lane


@dataclass(frozen=True, slots=True)
class Plan:
    """Tasks in the order in which they are done, and how many of the others can't be, by reason."""

    tasks: tuple[TaskRecord, ...]
    left_out: Mapping[str, int]


def chosen(
    records: Iterable[TaskRecord], count: int, *, seed: str, before: Iterable[TaskRecord] = ()
) -> Plan:
    """At most ``count`` tasks: those of ``before``, which a replay had chosen already, and a sample of the rest.

    The sample goes by a hash of seed and id: it is drawn at random, it is the same whatever order the records come in, and a larger one has
    the smaller one in it.
    """
    tasks = list(before)
    known = {record.id for record in tasks}
    left_out: Counter[str] = Counter()
    found: dict[str, TaskRecord] = {}
    for record in records:
        if record.id in known or record.id in found:
            continue
        if reason := why_not(record):
            left_out[reason] += 1
        else:
            found[record.id] = record
    rest = sorted(found.values(), key=lambda record: _rank(seed, record.id))
    return Plan(tuple((tasks + rest)[:count]), dict(left_out))


def steps(plan: Plan, done: Iterable[tuple[str, Lane]]) -> Iterator[tuple[TaskRecord, Lane]]:
    """What is still to be done. The lanes take turns, so that neither has the model provider's bad hour for itself."""
    finished = set(done)
    for index, record in enumerate(plan.tasks):
        for lane in LANES if index % 2 else LANES[::-1]:
            if (record.id, lane) not in finished:
                yield record, lane


def why_not(record: TaskRecord) -> str:
    """Why a task can't be done again; empty: it can."""
    if record.shadow:
        return "shadow"
    if record.input is None:
        return "no input"
    if is_truncated(record.input) or is_truncated(record.output):
        return "cut"
    if record.output is None:
        return "no answer"
    return ""


def is_truncated(value: JsonValue) -> bool:
    """Whether this is what the kit puts in the place of a value that was too large."""
    return isinstance(value, dict) and value.keys() == {"truncated", "bytes"} and value["truncated"] is True


def _rank(seed: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()
