"""A ledger of an earlier schema goes on with everything that it has, in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from agentrollouts.api.task import TaskLabel, TaskRecord, canonical
from agentrollouts.ledger import database as database_module
from agentrollouts.ledger.database import Database, StorageUnavailableError
from agentrollouts.ledger.retention import Retention, remove_old
from agentrollouts.ledger.rights import FULL_SIGHT, Sight
from agentrollouts.ledger.store import Attempt, Query, Store
from agentrollouts.ledger.tables import metadata
from tests.ledger.postgres import Postgres
from tests.ledger.tasks import BEGIN, SECOND, record
from tests.ledger.together import together

Open = Callable[[str], Database]
NAMESPACES, AGENTS = ("shop", "desk", "lab"), ("support", "billing")
MANY = 1_500
"""More than SQLite moves at once."""
SHOP, DESK = (Sight(frozenset({name}), frozenset({name})) for name in ("shop", "desk"))


def migrate(database: Database, revision: str, *, down: bool = False) -> None:
    """To this revision, whichever the code expects."""
    with database._engine.execution_options(writes=True).begin() as connection:
        config = Config()
        config.set_main_option("script_location", "agentrollouts.ledger:migrations")
        config.attributes["connection"] = connection
        (command.downgrade if down else command.upgrade)(config, revision)


def known(number: int) -> TaskRecord:
    return record(
        number,
        namespace=NAMESPACES[number % 3],
        agent=AGENTS[number % 2],
        outcome="failure" if number % 5 == 0 else "success",
        input={"text": f"nul \x00 and 😀, number {number}"},
    )


def first_schema(database: Database) -> None:
    """What the first release made and kept."""
    migrate(database, "0001")
    posted = [
        {
            "id": task.id,
            "namespace": task.namespace,
            "agent": task.agent,
            "version": task.version,
            "outcome": task.outcome,
            "failure": task.outcome == "failure",
            "holdout": number % 7 == 0,
            "finished": int(task.finished_at.timestamp()) * SECOND,
            "received": BEGIN + number,
            "record": canonical(task),
        }
        for number, task in ((number, known(number)) for number in range(MANY))
    ]
    names = ", ".join(posted[0])
    values = ", ".join(f":{name}" for name in posted[0])
    with database._engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text(f"INSERT INTO tasks ({names}) VALUES ({values})"), posted)
        connection.execute(
            sa.text("INSERT INTO evidence VALUES ('shop', 'support', :attempt, 1, :bundle)"),
            [{"attempt": 3, "bundle": b'{"a": 1}'}, {"attempt": 4, "bundle": b'{"uid": "u-1"}'}],
        )


def rows(database: Database) -> list[Any]:
    """The table as it is: nothing is migrated for it."""
    with database._engine.begin() as connection:
        found = connection.execute(sa.text("SELECT * FROM tasks ORDER BY received, namespace"))
        return [dict(row) for row in found.mappings()]


def key(database: Database) -> list[str]:
    with database._engine.begin() as connection:
        return list(sa.inspect(connection).get_pk_constraint("tasks")["constrained_columns"])


def numbers(store: Store, **query: Any) -> list[int]:
    seen, after = [], None
    while True:
        page = store.page(Query(after=after, limit=200, **query))
        seen += [int(json.loads(text)["id"], 16) for text in page.records]
        if page.next is None:
            return seen
        after = page.next


@pytest.fixture
def database(make_database_url: Callable[[], str], open_url: Open) -> Database:
    opened = open_url(make_database_url())
    first_schema(opened)
    return opened


def test_everything_of_the_first_schema_is_there_afterwards(database: Database) -> None:
    before = rows(database)
    store = Store(database, holdout=0)
    store.check()
    assert rows(database) == before
    assert len(before) == MANY
    assert numbers(store) == list(range(MANY - 1, -1, -1))
    shop = range(MANY - 1 - (MANY - 1) % 3, -1, -3)
    assert numbers(store, namespace="shop", agent="support") == [number for number in shop if number % 2 == 0]
    failures = numbers(store, namespace="shop", agent="support", failures=True)
    assert failures == [number for number in shop if number % 10 == 0]
    blind = numbers(store, sight=Sight(holdouts=frozenset()))
    assert blind == [number for number in range(MANY - 1, -1, -1) if number % 7]
    assert store.get(known(4).id, sight=FULL_SIGHT) == canonical(known(4))
    assert store.get_evidence("shop", "support", 3, uid="") == b'{"a": 1}'
    assert store.get_evidence("shop", "support", 4, uid="u-1") == b'{"uid": "u-1"}'
    assert not store.put_evidence(Attempt("shop", "support", 4, "u-1"), b'{"uid": "u-1"}', now=BEGIN)
    assert store.put_evidence(Attempt("shop", "support", 4, "u-2"), b"{}", now=BEGIN)


def test_the_tables_are_then_those_that_the_code_expects(database: Database) -> None:
    Store(database, holdout=0).check()
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "ledger_schema"})
        assert compare_metadata(context, metadata) == []
        assert sorted(sa.inspect(connection).get_table_names()) == ["evidence", "ledger_schema", "tasks"]
    assert key(database) == ["id", "namespace"]


def test_what_is_done_with_tasks_goes_on(database: Database) -> None:
    store = Store(database, holdout=0)
    assert store.add([known(3), known(MANY)], now=BEGIN) == 1
    assert store.label(known(1).id, TaskLabel(expected="dog"), namespaces=frozenset({"desk"}))
    twin = known(3).model_copy(update={"namespace": "desk"})
    assert store.add([twin], now=BEGIN) == 1
    assert store.get(twin.id, sight=SHOP) == canonical(known(3))
    assert store.get(twin.id, sight=DESK) == canonical(twin)
    removed = remove_old(database, Retention(age=timedelta(days=9_999), per_agent=100), now=BEGIN)
    assert removed == MANY + 2 - len(numbers(store)) > 0


def test_ledgers_that_start_at_the_same_moment_migrate_it_once(
    make_database_url: Callable[[], str], open_url: Open
) -> None:
    url = make_database_url()
    first_schema(open_url(url))
    stores = [Store(open_url(url), holdout=0) for _ in range(4)]
    assert not together([store.check for store in stores])
    assert len(numbers(stores[0])) == MANY


def test_the_way_back_is_open_as_long_as_no_two_namespaces_share_an_id(database: Database) -> None:
    before = rows(database)
    migrate(database, "head")
    migrate(database, "0001", down=True)
    assert key(database) == ["id"]
    assert rows(database) == before
    assert Store(database, holdout=0).add([record(1, namespace="lab")], now=BEGIN - 1) == 1
    kept = rows(database)
    with pytest.raises(IntegrityError):
        migrate(database, "0001", down=True)
    assert key(database) == ["id", "namespace"]
    assert rows(database) == kept
    assert len(kept) == MANY + 1


def test_and_as_no_two_rollouts_of_a_name_have_an_attempt_in_common(database: Database) -> None:
    store = Store(database, holdout=0)
    assert store.put_evidence(Attempt("shop", "support", 4, "u-2"), b"{}", now=BEGIN)
    with pytest.raises(IntegrityError):
        migrate(database, "0002", down=True)
    assert store.get_evidence("shop", "support", 4, uid="u-1") == b'{"uid": "u-1"}'


def test_a_disk_that_is_full_amid_it_leaves_the_ledger_as_it_was(tmp_path: Path, open_url: Open) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    cramped = open_url(url)
    first_schema(cramped)
    before = rows(cramped)
    with cramped._engine.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 20}")
    with pytest.raises(StorageUnavailableError, match="full"):
        Store(cramped, holdout=0).check()
    assert (rows(cramped), key(cramped)) == (before, ["id"])
    cramped.close()
    assert len(numbers(Store(open_url(url), holdout=0))) == MANY


def test_a_migration_may_take_longer_than_a_request(
    postgres: Postgres, open_url: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.create("slow")
    holder = open_url(url)
    first_schema(holder)
    limit = 200
    monkeypatch.setattr(database_module, "STATEMENT_MILLISECONDS", limit)
    store = Store(open_url(url), holdout=0)
    failed: list[Exception] = []

    def check() -> None:
        try:
            store.check()
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'slow' "
        f"AND clock_timestamp() - query_start > interval '{2 * limit} milliseconds'"
    )
    thread = threading.Thread(target=check)
    with holder._engine.begin() as reader:
        reader.execute(sa.text("SELECT 1 FROM tasks LIMIT 1"))
        thread.start()
        deadline = time.monotonic() + 60
        # NB: within one transaction the server tells the same until it is asked to look again.
        while not failed and not reader.execute(waiting).scalar():
            assert time.monotonic() < deadline, "the migration does not wait for the reader"
            reader.execute(sa.text("SELECT pg_stat_clear_snapshot()"))
    thread.join()
    assert not failed
    assert len(numbers(store)) == MANY
