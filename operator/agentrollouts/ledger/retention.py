"""What is kept: tasks up to an age and up to a number for each agent, and its newest failures beyond both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, delete, or_, select, tuple_

from agentrollouts.ledger.database import Database
from agentrollouts.ledger.store import MOST_FAILURES
from agentrollouts.ledger.tables import tasks

BATCH: Final = 500
"""Rows that one transaction removes, so that nobody who posts waits long."""


class _Agent(NamedTuple):
    namespace: str
    name: str

    @property
    def owns(self) -> ColumnElement[bool]:
        """Of a task: it is this agent's."""
        return and_(tasks.c.namespace == self.namespace, tasks.c.agent == self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """``age`` is counted from when the ledger got a task, by its own clock; ``per_agent`` counts the newest ones."""

    age: timedelta = timedelta(days=30)
    per_agent: int = 20_000


def remove_old(database: Database, retention: Retention, *, now: int) -> int:
    """Remove what is not to be kept any more; how many tasks. ``now`` in microseconds since 1970.

    Raises:
        StorageUnavailableError: it can't be done now; what was removed by then stays removed.
    """
    with database.reading() as connection:
        found = connection.execute(select(tasks.c.namespace, tasks.c.agent).distinct())
        agents = [_Agent(*row) for row in found]
    removed = 0
    for agent in agents:
        while True:
            batch = _remove_batch(database, retention, agent, now)
            removed += batch
            if batch < BATCH:
                break
    return removed


def _remove_batch(database: Database, retention: Retention, agent: _Agent, now: int) -> int:
    with database.writing() as connection:
        last_kept = connection.execute(_nth_newest(agent, retention.per_agent)).first()
        last_failure = connection.execute(_nth_newest(agent, MOST_FAILURES, failures=True)).first()
        surplus: ColumnElement[bool] = tasks.c.received < now - int(retention.age.total_seconds()) * 1_000_000
        if last_kept is not None:
            surplus = or_(surplus, _place() < tuple_(*last_kept))
        wanted = select(tasks.c.id).where(agent.owns, surplus)
        if last_failure is None:
            wanted = wanted.where(tasks.c.failure.is_(False))
        else:
            older = and_(tasks.c.failure.is_(True), _place() < tuple_(*last_failure))
            wanted = wanted.where(or_(tasks.c.failure.is_(False), older))
        ids = list(connection.execute(wanted.limit(BATCH)).scalars())
        connection.execute(delete(tasks).where(agent.owns, tasks.c.id.in_(ids)))
        return len(ids)


def _place() -> Any:
    return tuple_(tasks.c.finished, tasks.c.id)


def _nth_newest(agent: _Agent, number: int, *, failures: bool = False) -> Select[Any]:
    """The place of the n-th newest task; no row where there are fewer."""
    wanted = select(tasks.c.finished, tasks.c.id).where(agent.owns)
    if failures:
        wanted = wanted.where(tasks.c.failure.is_(True))
    return wanted.order_by(tasks.c.finished.desc(), tasks.c.id.desc()).offset(number - 1).limit(1)
