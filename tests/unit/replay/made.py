"""Attempts and compared tasks for the tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.attempt import Attempt, Lane, Told
from agentrollouts.replay.comparison import Rule
from agentrollouts.replay.disagreement import Compared, comparisons
from tests.replay.lanes import document

LABEL = Rule(answer="label")


def record(number: int, **fields: Any) -> TaskRecord:
    return TaskRecord.model_validate(document(number, **fields))


def attempt(number: int, lane: Lane, label: str = "shipped", **fields: Any) -> Attempt:
    told = Told.model_validate(
        {"version": "2.0.0" if lane is Lane.CANDIDATE else "1.0.0", **fields.pop("told", {})}
    )
    return Attempt.model_validate(
        {"task": f"{number:032x}", "lane": lane, "answer": {"label": label}, "told": told, **fields}
    )


def compared(labels: Iterable[tuple[str, str]], rule: Rule = LABEL) -> tuple[Compared, ...]:
    """One task for each pair of labels, the candidate's and the incumbent's; the record says `shipped`."""
    done, records = {}, []
    for number, pair in enumerate(labels):
        records.append(record(number))
        for lane, label in zip(Lane, pair, strict=True):
            done[records[-1].id, lane] = attempt(number, lane, label)
    return comparisons(records, done, rule)
