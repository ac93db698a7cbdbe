"""What an agent's counters say about its callers: traffic, success, and how much tasks of one session resemble each other."""

from __future__ import annotations

from typing import NamedTuple

from agentrollouts.core.counters import (
    SESSION_COST,
    SESSION_SUCCESS,
    SESSION_SUCCESS_SQUARES,
    SESSIONS,
    TASKS,
)
from agentrollouts.core.evidence import Totals, sum_of
from agentrollouts.core.sequential.capped import fitting, named, narrowed
from agentrollouts.core.sequential.measure import NONE, Block

QUERIES = (SESSIONS, TASKS, SESSION_SUCCESS, SESSION_SUCCESS_SQUARES, SESSION_COST)
"""The counters it takes."""
DEAREST = 0.45
"""The largest mean cost that a synthetic agent can have, as a part of the cap."""


class Measured(NamedTuple):
    """The numbers of :class:`agentrollouts.planning.world.World`, as they were."""

    sessions_per_minute: float
    success: float
    tasks_per_session: int
    correlation: float
    cost: float


def measured(totals: Totals, minutes: float) -> Measured | None:
    """From the sums over so many minutes; None where no session closed.

    Of ``k`` equally alike tasks with success rate ``p``, a session's fraction has the variance
    ``p (1 - p) (1 / k + (1 - 1 / k) correlation)``: that is solved for the correlation.
    """
    sessions = sum_of(totals, SESSIONS.metric)
    if sessions < 1.0 or minutes <= 0.0:
        return None
    tasks = max(1, round(sum_of(totals, TASKS.metric) / sessions))
    mean = min(1.0, sum_of(totals, SESSION_SUCCESS.metric) / sessions)
    variance = max(0.0, sum_of(totals, SESSION_SUCCESS_SQUARES.metric) / sessions - mean * mean)
    single = mean * (1.0 - mean)
    correlation = 0.0
    if tasks > 1 and single > 0.0:
        correlation = min(1.0, max(0.0, (variance / single - 1.0 / tasks) / (1.0 - 1.0 / tasks)))
    cost = min(DEAREST, max(0.0, _cost(totals, sessions)))
    return Measured(sessions / minutes, mean, min(50, tasks), correlation, cost)


def _cost(totals: Totals, sessions: float) -> float:
    """The mean as a part of the cap that a trial would settle on."""
    sums = {
        cell.value: amount
        for cell, amount in totals.items()
        if cell.metric == SESSION_COST.metric and cell.value
    }
    known = Block(sessions, named(sums, sums)) if sums else Block(sessions, NONE)
    cap = fitting(known)
    return 0.0 if cap is None else narrowed(known, cap).sums["total"] / sessions
