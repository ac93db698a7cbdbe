"""Users that know the truth: sessions of tasks with known right answers, and a ledger of what really happened.

    async with Load(LoadPlan(url="http://support.shop", rate=20.0)) as load:
        ...
    assert not changed_sides(load.ledger, changes)

The answers are judged here, from this package's own copy of the truth, so that what agent, router and operator count
can be compared with what their users saw.
"""

from __future__ import annotations

from agent_load.ledger import Ledger
from agent_load.load import Counters, Load
from agent_load.plan import LoadPlan
from agent_load.queries import (
    ShareChange,
    SideChange,
    changed_sides,
    counts,
    misanswered,
    outcomes,
    routing_errors,
    started_after,
    summary,
)
from agent_load.row import Row
from agent_load.truth import Question, Truth

__all__ = [
    "Counters",
    "Ledger",
    "Load",
    "LoadPlan",
    "Question",
    "Row",
    "ShareChange",
    "SideChange",
    "Truth",
    "changed_sides",
    "counts",
    "misanswered",
    "outcomes",
    "routing_errors",
    "started_after",
    "summary",
]
