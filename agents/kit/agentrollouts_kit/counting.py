"""The arithmetic of tasks: which cells one finished task or one crash changes, and to what.

Pure: each function adds to a `Change`, which the ledger commits as a whole. What a closed session adds is in `closing`.
"""

from __future__ import annotations

from bisect import bisect_left

from agentrollouts_kit.layout import Layout
from agentrollouts_kit.tally import Caps, Tally
from agentrollouts_kit.vocabulary import DURATION_EDGES, FAILURE, LENGTH_EDGES

SLOT_FREE, SLOT_OPEN, SLOT_CLOSING = 0.0, 1.0, 2.0
UNFINISHED = float("inf")
"""The duration of a task that never ended: above every edge."""
_NO_CAPS = Caps(cost_usd=(), llm_calls=1.0)


class Change:
    """New values of some cells, on top of a view that is not touched."""

    __slots__ = ("values", "view")

    def __init__(self, view: memoryview[float]) -> None:
        self.view = view
        self.values: dict[int, float] = {}

    def add(self, cell: int, amount: float) -> None:
        """Add to what the cell holds, this change included."""
        if amount:
            values = self.values
            values[cell] = (values[cell] if cell in values else self.view[cell]) + amount

    def set(self, cell: int, value: float) -> None:
        """Replace what the cell holds."""
        self.values[cell] = value


def add_task(change: Change, layout: Layout, tally: Tally, *, outcome: int, seconds: float) -> None:
    """Count a finished task in its cohort's counters. `seconds` is `UNFINISHED` for one that never ended."""
    cells = layout.counters
    base = tally.cohort * cells.size
    change.add(base + cells.outcomes + outcome, 1)
    _add_duration(change, base + cells.durations, base + cells.duration_sum, seconds=seconds)
    change.add(base + cells.cost, tally.cost_usd)
    change.add(base + cells.llm_calls, tally.llm_calls)
    change.add(base + cells.tokens, tally.input_tokens)
    change.add(base + cells.tokens + 1, tally.output_tokens)
    # NB: copied, here and below: a task that is counted because its session expired may still be adding to them.
    for (tool, call_outcome), calls in tuple(tally.tool_calls.items()):
        change.add(base + cells.tool_calls + 2 * tool + call_outcome, calls)
    for event, times in tuple(tally.events.items()):
        change.add(base + cells.events + event, times)
    if tally.response_chars is not None:
        change.add(base + cells.lengths + bisect_left(LENGTH_EDGES, tally.response_chars), 1)
        change.add(base + cells.length_sum, tally.response_chars)


def add_task_to_session(
    change: Change,
    layout: Layout,
    slot: int,
    tally: Tally,
    *,
    outcome: int,
    seconds: float,
    caps: Caps,
) -> None:
    """Count the same task in its session's slot."""
    cells = layout.session
    change.add(slot + cells.running, -1)
    change.add(slot + cells.outcomes + outcome, 1)
    for index, cap in enumerate(caps.cost_usd):
        change.add(slot + cells.cost_fractions + index, min(tally.cost_usd, cap) / cap)
    change.add(slot + cells.llm_calls_fraction, min(tally.llm_calls, caps.llm_calls) / caps.llm_calls)
    change.add(slot + cells.durations + bisect_left(DURATION_EDGES, seconds), 1)
    for (tool, _), calls in tuple(tally.tool_calls.items()):
        change.add(slot + cells.tool_calls + tool, calls)
    for event in tuple(tally.events):
        change.add(slot + cells.events + event, 1)
    for score, (total, values) in tuple(tally.scores.items()):
        change.add(slot + cells.scored_tasks + score, 1)
        change.add(slot + cells.score_sums + score, total / values)
    # NB: copied once, or a topic named meanwhile would make the parts of the task more than 1.
    topics = tuple(tally.topics)
    for topic in topics:
        change.add(slot + cells.topics + topic, 1 / len(topics))
    if (length := tally.response_chars) is not None:
        change.add(slot + cells.answered_tasks, 1)
        change.add(slot + cells.length_fraction, min(length, caps.response_chars) / caps.response_chars)


def add_crashed_tasks(change: Change, layout: Layout, slot: int, *, cohort: int, tasks: int) -> None:
    """Count the tasks that a killed process left behind as failures, in the counters and in their session.

    What they had spent, called or met with until then is unknown and not counted.
    """
    lost = Tally(cohort=cohort, started=0.0)
    for _ in range(tasks):
        add_task(change, layout, lost, outcome=FAILURE, seconds=UNFINISHED)
        add_task_to_session(change, layout, slot, lost, outcome=FAILURE, seconds=UNFINISHED, caps=_NO_CAPS)


def _add_duration(change: Change, buckets: int, total: int, *, seconds: float) -> None:
    """An unfinished task adds the highest edge to the sum: the least that a task above every edge can have taken."""
    change.add(buckets + bisect_left(DURATION_EDGES, seconds), 1)
    change.add(total, seconds if seconds != UNFINISHED else DURATION_EDGES[-1])
