"""What one running task has done so far, and what a session has seen: plain records, no lock, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from agentrollouts_kit.vocabulary import FAILURE, SUCCESS


class Caps(NamedTuple):
    """What a task's cost, calls of language models and answer are cut at and divided by, which makes each a fraction.

    Cost has `COST_CAPS` of them, the largest first.
    """

    cost_usd: tuple[float, ...]
    llm_calls: float
    response_chars: float = 20_000


@dataclass(slots=True, eq=False)
class Tally:
    """One task. Filled by the agent without any lock; counted once, when the task ends.

    `outcome` is an index into the vocabulary, None until known. `tool_calls` maps (tool index, call outcome index)
    to a count. `events` maps an event's index to how often it happened; 0 for one that happened but whose times are
    counted elsewhere. `scores` maps a score's index to the sum and the number of its values; `topics` holds
    the indices of its topics. `session` is set by the ledger when the task begins and `counted` when it has been counted.
    """

    cohort: int
    started: float
    outcome: int | None = None
    cost_usd: float = 0.0
    llm_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    tool_calls: dict[tuple[int, int], int] = field(default_factory=dict)
    events: dict[int, int] = field(default_factory=dict)
    scores: dict[int, tuple[float, int]] = field(default_factory=dict)
    topics: set[int] = field(default_factory=set)
    response_chars: int | None = None
    ends_session: bool = False
    session: Session | None = None
    counted: bool = False


@dataclass(slots=True, eq=False)
class Session:
    """An open session: its slot's first cell, its key (None for a task without one), and the tasks still running."""

    cell: int
    cohort: int
    key: tuple[int, int] | None
    started: float
    last: float
    closing: bool = False
    awaiting_score: bool = False
    """A shadow is under way: a session that is to close waits for it."""
    running: set[Tally] = field(default_factory=set)


def final_outcome(known: int | None, error: BaseException | None, *, default: int) -> int:
    """The outcome of a task by what it said and how it ended; `default` is that of one that said nothing.

    An exception is a failure, unless the agent had refused or escalated by then.
    One that is no `Exception` (cancelled, closed generator, interrupt) says that the caller went away or the
    process ends, not that the agent erred: an outcome that was already known stands.
    """
    if error is None:
        return default if known is None else known
    if isinstance(error, Exception) and known == SUCCESS:
        return FAILURE
    return FAILURE if known is None else known
