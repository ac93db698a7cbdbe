"""What one running task has done so far, and what a session has seen: plain records, no lock, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Tally:
    """One task. Filled by the agent without any lock; counted once, when the task ends.

    `outcome` is an index into the vocabulary, None until known. `tool_calls` maps (tool index, call outcome index)
    to a count. `session` is set by the ledger when the task begins and `counted` when it has been counted.
    """

    cohort: int
    started: float
    outcome: int | None = None
    cost_usd: float = 0.0
    llm_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    tool_calls: dict[tuple[int, int], int] = field(default_factory=dict)
    checkpoints: int = 0
    interventions: int = 0
    destructive_rollbacks: int = 0
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
    running: set[Tally] = field(default_factory=set)
