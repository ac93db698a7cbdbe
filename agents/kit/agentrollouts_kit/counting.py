"""The arithmetic of outcomes: which cells one finished task, one crash or one closed session changes, and to what.

Pure: each function adds to a `Change`, which the ledger commits as a whole. The session numbers are fractions of the
session's tasks, because tasks of one session resemble one another: only the session may count as a unit.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from agentrollouts_kit.layout import Layout
from agentrollouts_kit.tally import Tally
from agentrollouts_kit.vocabulary import (
    CLOSE_REASONS,
    DURATION_EDGES,
    FAILURE,
    LENGTH_EDGES,
    OUTCOMES,
    SUCCESS,
    CloseReason,
)

SLOT_FREE, SLOT_OPEN, SLOT_CLOSING = 0.0, 1.0, 2.0
UNFINISHED = float("inf")
"""The duration of a task that never ended: above every edge."""


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
    for (tool, call_outcome), calls in tally.tool_calls.items():
        change.add(base + cells.tool_calls + 2 * tool + call_outcome, calls)
    change.add(base + cells.checkpoints, tally.checkpoints)
    change.add(base + cells.interventions, tally.interventions)
    change.add(base + cells.destructive_rollbacks, tally.destructive_rollbacks)
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
    cost_cap_usd: float,
) -> None:
    """Count the same task in its session's slot."""
    cells = layout.session
    change.add(slot + cells.running, -1)
    change.add(slot + cells.outcomes + outcome, 1)
    change.add(slot + cells.cost_fraction, min(tally.cost_usd, cost_cap_usd) / cost_cap_usd)
    change.add(slot + cells.durations + bisect_left(DURATION_EDGES, seconds), 1)
    for (tool, _), calls in tally.tool_calls.items():
        change.add(slot + cells.tool_calls + tool, calls)


def add_crashed_tasks(change: Change, layout: Layout, slot: int, *, cohort: int, tasks: int) -> None:
    """Count the tasks that a killed process left behind as failures, in the counters and in their session.

    What they had spent or called until then is unknown and not counted.
    """
    lost = Tally(cohort=cohort, started=0.0)
    for _ in range(tasks):
        add_task(change, layout, lost, outcome=FAILURE, seconds=UNFINISHED)
        add_task_to_session(change, layout, slot, lost, outcome=FAILURE, seconds=UNFINISHED, cost_cap_usd=1.0)


def close_session(change: Change, layout: Layout, slot: int, *, cohort: int, reason: CloseReason) -> None:
    """Add the fractions of a session to its cohort's counters and free the slot."""
    cells, own, view = layout.counters, layout.session, change.view
    base = cohort * cells.size
    outcomes = view[slot + own.outcomes : slot + own.outcomes + len(OUTCOMES)].tolist()
    durations = view[slot + own.durations : slot + own.durations + len(DURATION_EDGES) + 1].tolist()
    tools = view[slot + own.tool_calls : slot + own.tool_calls + layout.tools + 1].tolist()
    tasks, calls = sum(outcomes), sum(tools)
    change.set(slot + own.state, SLOT_FREE)
    change.add(base + cells.closed + CLOSE_REASONS.index(reason), 1)
    success, cost = outcomes[SUCCESS] / tasks, view[slot + own.cost_fraction] / tasks
    change.add(base + cells.success_fraction, success)
    change.add(base + cells.success_squares, success * success)
    change.add(base + cells.cost_fraction, cost)
    change.add(base + cells.cost_squares, cost * cost)
    for index, count in enumerate(outcomes):
        change.add(base + cells.outcome_fractions + index, count / tasks)
    for index, count in enumerate(accumulate(durations)):
        change.add(base + cells.latency_fractions + index, count / tasks)
    for index, count in enumerate(tools):
        change.add(base + cells.tool_fractions + index, count / calls if calls else 0.0)
    if not calls:
        change.add(base + cells.tool_fractions + layout.without_tool, 1)


def _add_duration(change: Change, buckets: int, total: int, *, seconds: float) -> None:
    """An unfinished task adds the highest edge to the sum: the least that a task above every edge can have taken."""
    change.add(buckets + bisect_left(DURATION_EDGES, seconds), 1)
    change.add(total, seconds if seconds != UNFINISHED else DURATION_EDGES[-1])
