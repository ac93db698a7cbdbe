"""Each task in both lanes, held against the record and against each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.attempt import Attempt, Lane, recorded_calls
from agentrollouts.replay.calls import Call, CallsDifference, without
from agentrollouts.replay.calls import compared as calls_compared
from agentrollouts.replay.comparison import (
    MISSING,
    NO_VECTORS,
    Compare,
    Likeness,
    Rule,
    Tools,
    compared,
    decision,
)
from agentrollouts.replay.embedding import Vectors, needs_vectors
from agentrollouts.replay.interval import Pairs


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one decision. ``calls`` is about all tools; ``acts``: those that belong to the decision differ."""

    likeness: Likeness
    calls: CallsDifference
    acts: bool

    @property
    def changed(self) -> bool:
        """Whether it is another decision."""
        return self.acts or not self.likeness.same


@dataclass(frozen=True, slots=True)
class Compared:
    """One task: the record, both attempts, and what changed from the record to each, and from the incumbent to the candidate."""

    record: TaskRecord
    candidate: Attempt
    incumbent: Attempt
    by_candidate: Change
    by_incumbent: Change
    between: Change


Done = Mapping[tuple[str, Lane], Attempt]


def comparisons(
    records: Sequence[TaskRecord], done: Done, rule: Rule, vectors: Vectors = NO_VECTORS
) -> tuple[Compared, ...]:
    """Every task that both lanes have finished, in the order of the records.

    Raises:
        ReplayError: the rule goes by embeddings, and ``vectors`` lacks one of ``texts_to_embed``.
    """
    by = _By(rule, safe_tools(records, done), vectors)
    return tuple(_one(*task, by) for task in _finished(records, done))


def texts_to_embed(records: Sequence[TaskRecord], done: Done, rule: Rule) -> tuple[str, ...]:
    """The answers that can't be compared without an embedding, each of them once; none unless the rule goes by embeddings."""
    if rule.compare is not Compare.EMBEDDING:
        return ()
    found: dict[str, None] = {}
    for record, *attempts in _finished(records, done):
        answers = (decision(record.output, rule), *(_side(attempt, rule)[0] for attempt in attempts))
        for one, other in combinations(answers, 2):
            if isinstance(one, str) and isinstance(other, str) and needs_vectors(one, other):
                found |= {one: None, other: None}
    return tuple(found)


def safe_tools(records: Sequence[TaskRecord], done: Done) -> frozenset[str]:
    """Tools whose calls have no effect.

    The incumbent's word holds. The candidate's holds for tools that are new with it: no release makes a known tool harmless by saying so.
    """
    marked: dict[Lane, set[str]] = {lane: set() for lane in Lane}
    known = {call.name for record in records for call in record.tool_calls}
    for attempt in done.values():
        marked[attempt.lane].update(attempt.told.safe_tools)
        if attempt.lane is Lane.INCUMBENT:
            known.update(call.name for call in attempt.told.calls)
    return frozenset(marked[Lane.INCUMBENT] | (marked[Lane.CANDIDATE] - known))


def pairs(tasks: Sequence[Compared]) -> Pairs:
    """How many tasks the one lane alone changed, and how many there are."""
    mine = sum(task.by_candidate.changed and not task.by_incumbent.changed for task in tasks)
    theirs = sum(task.by_incumbent.changed and not task.by_candidate.changed for task in tasks)
    return Pairs(mine, theirs, len(tasks))


def _finished(records: Sequence[TaskRecord], done: Done) -> Iterator[tuple[TaskRecord, Attempt, Attempt]]:
    for record in records:
        if all((record.id, lane) in done for lane in Lane):
            yield record, done[record.id, Lane.CANDIDATE], done[record.id, Lane.INCUMBENT]


class _By(NamedTuple):
    """By what decisions are compared."""

    rule: Rule
    safe: Collection[str]
    vectors: Vectors


def _one(record: TaskRecord, candidate: Attempt, incumbent: Attempt, by: _By) -> Compared:
    was = decision(record.output, by.rule), recorded_calls(record)
    new, old = _side(candidate, by.rule), _side(incumbent, by.rule)
    return Compared(
        record=record,
        candidate=candidate,
        incumbent=incumbent,
        by_candidate=_change(was, new, by),
        by_incumbent=_change(was, old, by),
        between=_change(old, new, by),
    )


Side = tuple[object, tuple[Call, ...]]


def _side(attempt: Attempt, rule: Rule) -> Side:
    told = attempt.told
    if told.has_output:
        return decision(told.output, rule), told.calls
    # NB: an answer that never came is no JSON null.
    missing = attempt.answer is None and attempt.error
    return MISSING if missing else decision(attempt.answer, rule), told.calls


def _change(before: Side, after: Side, by: _By) -> Change:
    tools = by.rule.tools
    calls = calls_compared(before[1], after[1])
    acts = calls if tools is Tools.ALL else CallsDifference()
    if tools is Tools.EFFECTS:
        acts = calls_compared(without(before[1], by.safe), without(after[1], by.safe))
    likeness = compared(before[0], after[0], by.rule, by.vectors)
    return Change(likeness, calls, bool(acts._replace(reordered=False)))
