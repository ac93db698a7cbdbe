"""What is done with the tables. Every method is one transaction, and raises StorageUnavailableError when it can't be done now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, or_, select, true, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from agentrollouts.api.task import TaskLabel, TaskRecord, canonical
from agentrollouts.ledger.database import Database
from agentrollouts.ledger.errors import EvidenceExistsError, RequestError
from agentrollouts.ledger.holdout import held_out
from agentrollouts.ledger.paging import Place
from agentrollouts.ledger.rights import FULL_SIGHT, Namespaces, Sight
from agentrollouts.ledger.tables import evidence, tasks

MOST_FAILURES: Final = 500
"""Failures of one agent that are kept whatever their age, and told."""
MOST_PAGE_BYTES: Final = 4 * 1024 * 1024
"""A page that has reached this many characters of records ends, however many were asked for."""
_PLACE: Final = (tasks.c.finished, tasks.c.id, tasks.c.namespace)
"""What lists are sorted by, and cursors are made of."""


class Attempt(NamedTuple):
    """Which attempt of which Rollout evidence is of; ``uid`` tells it from others of the same name."""

    namespace: str
    rollout: str
    attempt: int
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which tasks to list; ``agent`` is one only together with its ``namespace``. ``since`` in microseconds since 1970.

    What is out of ``sight`` is left out, whatever is asked for.
    """

    namespace: str | None = None
    agent: str | None = None
    version: str | None = None
    outcome: str | None = None
    since: int | None = None
    after: Place | None = None
    limit: int = 50
    sight: Sight = FULL_SIGHT
    failures: bool = False


class Page(NamedTuple):
    """Records as JSON, newest first; ``next`` None at the end."""

    records: list[str]
    next: Place | None


class Store:
    """The ledger's tasks and evidence. ``holdout`` is the share of tasks held out, in basis points."""

    def __init__(self, database: Database, *, holdout: int) -> None:
        self._database = database
        self._holdout = holdout

    def check(self) -> None:
        """Whether the database answers and has its tables."""
        with self._database.reading() as connection:
            connection.execute(select(tasks.c.id).limit(1))

    def add(self, records: Sequence[TaskRecord], *, now: int) -> int:
        """Store those that aren't there yet, all or none; how many that were. ``now`` in microseconds since 1970."""
        if not records:
            return 0
        # NB: in the order of the key, so that two batches with the same tasks never wait for one another.
        ordered = sorted(records, key=lambda one: (one.id, one.namespace))
        rows = [self._row(record) | {"received": now} for record in ordered]
        with self._database.writing() as connection:
            return sum(_insert_once(connection, tasks, row) for row in rows)

    def get(self, task: str, *, sight: Sight, namespace: str | None = None) -> str | None:
        """One record; None where there is none, or none to be seen. RequestError as of `label`."""
        with self._database.reading() as connection:
            found = _only(connection, _by_id(task, namespace).where(_seen(sight)))
        return None if found is None else str(found.record)

    def page(self, query: Query) -> Page:
        """One page, newest first by the time at which the tasks ended."""
        records: list[str] = []
        last: Place | None = None
        room = MOST_PAGE_BYTES
        with self._database.reading() as connection:
            for row in connection.execute(_selected(query)):
                if len(records) == query.limit or room <= 0:
                    return Page(records, last)
                records.append(row.record)
                last = Place(row.finished, row.id, row.namespace)
                room -= len(row.record)
        return Page(records, None)

    def label(
        self, task: str, label: TaskLabel, *, namespaces: Namespaces, namespace: str | None = None
    ) -> bool:
        """Add what became known later; False where there is no such task in these namespaces.

        Raises:
            RequestError: several of them have one with this id, and no ``namespace`` says which is meant.
        """
        with self._database.writing() as connection:
            wanted = _by_id(task, namespace).where(_within(namespaces))
            found = _only(connection, wanted.with_for_update())
            if found is None:
                return False
            record = TaskRecord.model_validate_json(found.record)
            outcome = label.outcome or record.outcome
            row = self._row(record.model_copy(update={"expected": label.expected, "outcome": outcome}))
            this = and_(tasks.c.id == task, tasks.c.namespace == found.namespace)
            connection.execute(update(tasks).where(this).values(row))
            return True

    def put_evidence(self, of: Attempt, bundle: bytes, *, now: int) -> bool:
        """Keep a bundle; False where these very bytes are kept already. EvidenceExistsError where others are."""
        row = of._asdict() | {"received": now, "bundle": bundle}
        with self._database.writing() as connection:
            if _insert_once(connection, evidence, row):
                return True
            kept = connection.execute(_bundles(*of)).scalar_one()
        if bytes(kept) != bundle:
            raise EvidenceExistsError(
                f"other evidence is kept for attempt {of.attempt} of {of.namespace}/{of.rollout}, and evidence never changes"
            )
        return False

    def get_evidence(
        self, namespace: str, rollout: str, attempt: int, *, uid: str | None = None
    ) -> bytes | None:
        """A bundle, byte for byte; without ``uid`` the one that came last. None where there is none."""
        newest = _bundles(namespace, rollout, attempt, uid).order_by(evidence.c.received.desc())
        with self._database.reading() as connection:
            found = connection.execute(newest.limit(1)).scalar()
        return None if found is None else bytes(found)

    def attempts(self, namespace: str, rollout: str) -> list[int]:
        """The attempts of all Rollouts of the name with evidence, those that came last first."""
        wanted = select(evidence.c.attempt, evidence.c.received).where(
            evidence.c.namespace == namespace, evidence.c.rollout == rollout
        )
        with self._database.reading() as connection:
            found = sorted(connection.execute(wanted).all(), key=lambda row: (row.received, row.attempt))
        return list(dict.fromkeys(row.attempt for row in reversed(found)))

    def _row(self, record: TaskRecord) -> dict[str, Any]:
        return {
            "id": record.id,
            "namespace": record.namespace,
            "agent": record.agent,
            "version": record.version,
            "outcome": record.outcome,
            "failure": record.outcome == "failure" and not record.shadow,
            "holdout": held_out(record.id, self._holdout),
            "finished": int(record.finished_at.timestamp()) * 1_000_000 + record.finished_at.microsecond,
            "record": canonical(record),
        }


def _insert_once(connection: Connection, table: Table, row: dict[str, Any]) -> int:
    """How many rows were added: 1, or 0 where there is one with this key."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(row).on_conflict_do_nothing()
    return len(connection.execute(statement.returning(*table.primary_key)).all())


def _by_id(task: str, namespace: str | None) -> Select[Any]:
    wanted = select(tasks.c.namespace, tasks.c.record).where(tasks.c.id == task)
    return wanted if namespace is None else wanted.where(tasks.c.namespace == namespace)


def _only(connection: Connection, wanted: Select[Any]) -> Row[Any] | None:
    """The one task that is found; None: none. RequestError: several."""
    first, *others = connection.execute(wanted.limit(2)).all() or (None,)
    if others:
        raise RequestError(
            "expected the namespace of the task as well, as namespace=NAMESPACE: several have a task with this id"
        )
    return first


def _selected(query: Query) -> Select[Any]:
    wanted = select(*_PLACE, tasks.c.record)
    for column, value in (
        (tasks.c.namespace, query.namespace),
        (tasks.c.agent, query.agent),
        (tasks.c.version, query.version),
        (tasks.c.outcome, query.outcome),
    ):
        if value is not None:
            wanted = wanted.where(column == value)
    if query.since is not None:
        wanted = wanted.where(tasks.c.finished >= query.since)
    if query.after is not None:
        wanted = wanted.where(tuple_(*_PLACE) < tuple_(*query.after))
    wanted = wanted.where(_seen(query.sight))
    if query.failures:
        wanted = wanted.where(tasks.c.failure.is_(True))
    # NB: one more than the page holds tells whether there is another page.
    return wanted.order_by(*(column.desc() for column in _PLACE)).limit(query.limit + 1)


def _seen(sight: Sight) -> ColumnElement[bool]:
    if sight.holdouts is None:
        return _within(sight.namespaces)
    return and_(_within(sight.namespaces), or_(tasks.c.holdout.is_(False), _within(sight.holdouts)))


def _within(namespaces: Namespaces) -> ColumnElement[bool]:
    return true() if namespaces is None else tasks.c.namespace.in_(sorted(namespaces))


def _bundles(namespace: str, rollout: str, attempt: int, uid: str | None) -> Select[Any]:
    wanted = select(evidence.c.bundle).where(
        evidence.c.namespace == namespace, evidence.c.rollout == rollout, evidence.c.attempt == attempt
    )
    return wanted if uid is None else wanted.where(evidence.c.uid == uid)
