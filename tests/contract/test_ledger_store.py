"""One suite for both databases: what is stored, listed, kept and removed is the same in SQLite and in PostgreSQL."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from agentrollouts.api.task import TaskLabel, canonical
from agentrollouts.ledger import retention as retention_module
from agentrollouts.ledger.database import Database, StorageUnavailableError, parse_url
from agentrollouts.ledger.errors import EvidenceExistsError, RequestError
from agentrollouts.ledger.holdout import held_out
from agentrollouts.ledger.retention import Retention, remove_old
from agentrollouts.ledger.rights import FULL_SIGHT, Sight
from agentrollouts.ledger.store import Attempt, Query, Store
from agentrollouts.ledger.tables import metadata
from tests.ledger.postgres import running_postgres
from tests.ledger.tasks import BEGIN, SECOND, record
from tests.ledger.together import together

NEVER = timedelta(days=10_000)


@pytest.fixture
def database(open_database: Callable[[], Database]) -> Database:
    return open_database()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database, holdout=0)


def numbers(store: Store, **query: object) -> list[int]:
    return [int(json.loads(text)["id"], 16) for text in store.page(Query(**query)).records]  # type: ignore[arg-type]


def test_the_migrations_make_the_tables_that_the_code_expects(database: Database, store: Store) -> None:
    store.check()
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "ledger_schema", "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []


def test_a_task_comes_back_as_it_was_posted(store: Store) -> None:
    whole = record(
        7,
        input={"text": "nul \x00, emoji 😀, quote ' and \\", "n": [1, -2.5, 10**30, None, True]},
        output="ja",
        toolCalls=[
            {"name": "lookup", "arguments": {"id": 3}, "result": [], "error": None, "durationSeconds": 0.25}
        ],
        feedback=["thumbs_down"],
        costDollars="0.000001",
    )
    assert store.add([whole], now=BEGIN) == 1
    found = store.get(whole.id, sight=FULL_SIGHT)
    assert found == canonical(whole)
    assert store.get("f" * 32, sight=FULL_SIGHT) is None


def test_the_same_task_posted_again_is_one_task_and_stays_what_it_was(store: Store) -> None:
    assert store.add([record(1), record(2), record(1)], now=BEGIN) == 2
    assert store.add([record(2, outcome="failure"), record(3)], now=BEGIN) == 1
    assert numbers(store) == [3, 2, 1]
    assert numbers(store, outcome="failure") == []


def test_batches_posted_at_the_same_moment_store_each_task_once(
    open_database: Callable[[], Database],
) -> None:
    stores = [Store(open_database(), holdout=0) for _ in range(4)]
    added: list[int] = []

    def post(store: Store, order: int) -> None:
        added.append(store.add([record(number) for number in range(100)][::order], now=BEGIN))

    orders = (1, -1, 1, -1)
    assert not together([partial(post, store, order) for store, order in zip(stores, orders, strict=True)])
    assert len(added) == 4 and sum(added) == 100
    assert numbers(stores[0], limit=200) == list(range(99, -1, -1))


def test_pages_repeat_and_skip_nothing_while_tasks_arrive(store: Store) -> None:
    store.add([record(number, finishedAt="2026-01-01T00:00:09Z") for number in range(7)], now=BEGIN)
    seen: list[int] = []
    after = None
    for arrival in itertools.count(100):
        page = store.page(Query(limit=2, after=after))
        seen += [int(json.loads(text)["id"], 16) for text in page.records]
        store.add([record(arrival)], now=BEGIN)
        if page.next is None:
            break
        after = page.next
    assert seen == [6, 5, 4, 3, 2, 1, 0]


def test_tasks_of_one_id_in_two_namespaces_are_two_tasks(database: Database, store: Store) -> None:
    twins = [record(1, namespace=name, output=name) for name in ("shop", "desk")]
    assert store.add([*twins, record(2)], now=BEGIN) == 3
    assert store.add(twins, now=BEGIN) == 0
    for twin in twins:
        sight = Sight(frozenset({twin.namespace}), frozenset({twin.namespace}))
        assert store.get(twin.id, sight=sight) == canonical(twin)
        assert store.get(twin.id, sight=FULL_SIGHT, namespace=twin.namespace) == canonical(twin)
        assert store.get(twin.id, sight=sight, namespace="lab") is None
    with pytest.raises(RequestError, match="namespace=NAMESPACE"):
        store.get(twins[0].id, sight=FULL_SIGHT)
    with pytest.raises(RequestError, match="namespace=NAMESPACE"):
        store.label(twins[0].id, TaskLabel(expected="dog"), namespaces=None)
    assert store.label(twins[0].id, TaskLabel(expected="dog"), namespaces=None, namespace="desk")
    assert store.get(twins[0].id, sight=FULL_SIGHT, namespace="shop") == canonical(twins[0])
    assert "dog" in (store.get(twins[0].id, sight=FULL_SIGHT, namespace="desk") or "")


def test_pages_tell_tasks_of_one_id_and_one_moment_apart(store: Store) -> None:
    spaces = ["desk", "lab", "shop"]
    store.add([record(number, namespace=name) for name in spaces for number in (1, 2)], now=BEGIN)
    seen: list[tuple[int, str]] = []
    after = None
    while True:
        page = store.page(Query(limit=1, after=after))
        seen += [(int(task["id"], 16), task["namespace"]) for task in map(json.loads, page.records)]
        if page.next is None:
            break
        after = page.next
    assert seen == [(number, name) for number in (2, 1) for name in reversed(spaces)]


def test_what_is_removed_of_one_namespace_stays_in_another(database: Database, store: Store) -> None:
    store.add([record(number) for number in range(5)], now=BEGIN)
    store.add([record(number, namespace="desk") for number in range(2)], now=BEGIN)
    assert remove_old(database, Retention(age=NEVER, per_agent=2), now=BEGIN) == 3
    assert numbers(store, namespace="shop", agent="support") == [4, 3]
    assert numbers(store, namespace="desk", agent="support") == [1, 0]


def test_a_full_last_page_is_the_last_one(store: Store) -> None:
    store.add([record(1), record(2)], now=BEGIN)
    assert store.page(Query(limit=2)).next is None
    assert store.page(Query(limit=1)).next is not None


def test_a_page_of_large_tasks_ends_early_and_goes_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentrollouts.ledger.store.MOST_PAGE_BYTES", 30_000)
    store.add([record(number, output="x" * 20_000) for number in range(3)], now=BEGIN)
    first = store.page(Query())
    assert len(first.records) == 2
    assert first.next is not None
    assert len(store.page(Query(after=first.next)).records) == 1


def test_filters_narrow_the_list(store: Store) -> None:
    store.add(
        [
            record(1, agent="billing"),
            record(2, version="1.3.0"),
            record(3, outcome="refused"),
            record(4, outcome="failure"),
            record(5, outcome="failure", shadow=True),
            record(6, outcome="failure", namespace="other"),
        ],
        now=BEGIN,
    )
    assert numbers(store, agent="billing") == [1]
    assert numbers(store, version="1.3.0") == [2]
    assert numbers(store, outcome="failure") == [6, 5, 4]
    assert numbers(store, since=BEGIN + 3 * SECOND) == [6, 5, 4, 3]
    assert numbers(store, namespace="other") == [6]
    assert numbers(store, namespace="shop", agent="support") == [5, 4, 3, 2]
    assert numbers(store, namespace="shop", agent="support", failures=True) == [4]
    assert numbers(store, namespace="other", agent="support", failures=True) == [6]


def test_held_out_tasks_are_seen_by_nobody_who_may_not(database: Database) -> None:
    store = Store(database, holdout=5_000)
    store.add([record(number, outcome="failure") for number in range(40)], now=BEGIN)
    hidden = {number for number in range(40) if held_out(f"{number:032x}", 5_000)}
    assert 5 < len(hidden) < 35
    assert set(numbers(store, limit=200)) == set(range(40))
    blind = Sight(holdouts=frozenset())
    for failures in (False, True):
        assert set(numbers(store, limit=200, sight=blind, failures=failures)) == set(range(40)) - hidden
    assert store.get(f"{min(hidden):032x}", sight=blind) is None
    assert store.get(f"{min(hidden):032x}", sight=FULL_SIGHT) is not None


def test_what_is_out_of_sight_is_nowhere(database: Database) -> None:
    store = Store(database, holdout=5_000)
    spaces = ["shop", "desk", "lab"]
    store.add(
        [record(number, outcome="failure", namespace=spaces[number % 3]) for number in range(60)], now=BEGIN
    )
    hidden = {number for number in range(60) if held_out(f"{number:032x}", 5_000)}
    shop, desk = (set(range(first, 60, 3)) for first in (0, 1))
    assert hidden & shop and hidden & desk
    for sight, seen in (
        (Sight(namespaces=frozenset({"shop"})), shop),
        (Sight(namespaces=frozenset({"shop", "desk"}), holdouts=frozenset({"shop"})), shop | desk - hidden),
        (Sight(holdouts=frozenset({"desk"})), set(range(60)) - hidden | desk),
        (Sight(namespaces=frozenset()), set()),
    ):
        for failures in (False, True):
            assert set(numbers(store, limit=200, sight=sight, failures=failures)) == seen
        found = {number for number in range(60) if store.get(f"{number:032x}", sight=sight) is not None}
        assert found == seen
    assert numbers(store, namespace="desk", sight=Sight(namespaces=frozenset({"shop"}))) == []


def test_a_task_of_another_namespace_is_not_labelled(store: Store) -> None:
    store.add([record(1), record(2, namespace="desk")], now=BEGIN)
    before = store.get(f"{2:032x}", sight=FULL_SIGHT)
    shop = frozenset({"shop"})
    assert not store.label(f"{2:032x}", TaskLabel(expected="dog", outcome="failure"), namespaces=shop)
    assert store.get(f"{2:032x}", sight=FULL_SIGHT) == before
    assert store.label(f"{1:032x}", TaskLabel(expected="dog"), namespaces=shop)


def test_a_label_adds_the_right_answer_and_corrects_the_outcome(store: Store) -> None:
    store.add([record(1, output="cat"), record(2)], now=BEGIN)
    assert store.label(f"{1:032x}", TaskLabel(expected="dog", outcome="failure"), namespaces=None)
    assert store.label(f"{2:032x}", TaskLabel(expected=["dog"]), namespaces=None)
    assert not store.label(f"{3:032x}", TaskLabel(expected="dog"), namespaces=None)
    labelled = [json.loads(text) for text in store.page(Query(failures=True)).records]
    assert [(task["output"], task["expected"], task["outcome"]) for task in labelled] == [
        ("cat", "dog", "failure")
    ]
    other = json.loads(store.get(f"{2:032x}", sight=FULL_SIGHT) or "")
    assert (other["expected"], other["outcome"]) == (["dog"], "success")


def test_what_is_old_by_the_ledgers_clock_is_removed(database: Database, store: Store) -> None:
    hour = 3600 * SECOND
    store.add([record(1), record(2)], now=BEGIN)
    store.add([record(3)], now=BEGIN + hour)
    kept = Retention(age=timedelta(hours=1), per_agent=100)
    assert remove_old(database, kept, now=BEGIN + hour) == 0
    assert remove_old(database, kept, now=BEGIN + hour + 1) == 2
    assert numbers(store) == [3]


def test_the_newest_of_each_agent_are_kept(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "BATCH", 2)
    store.add([record(number) for number in range(9)], now=BEGIN)
    store.add([record(100 + number, agent="billing") for number in range(3)], now=BEGIN)
    store.add([record(200 + number, namespace="other") for number in range(5)], now=BEGIN)
    assert remove_old(database, Retention(age=NEVER, per_agent=4), now=BEGIN) == 6
    assert numbers(store, namespace="shop", agent="support") == [8, 7, 6, 5]
    assert numbers(store, namespace="other", agent="support") == [204, 203, 202, 201]
    assert numbers(store, agent="billing") == [102, 101, 100]


def test_the_newest_failures_are_kept_longer_up_to_their_own_number(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_module, "MOST_FAILURES", 3)
    outcomes = ["failure" if number < 5 else "success" for number in range(10)]
    for namespace, first in (("shop", 0), ("other", 100)):
        store.add(
            [
                record(first + number, outcome=outcome, namespace=namespace)
                for number, outcome in enumerate(outcomes)
            ],
            now=BEGIN,
        )
    assert remove_old(database, Retention(age=NEVER, per_agent=2), now=BEGIN) == 10
    assert numbers(store) == [109, 108, 104, 103, 102, 9, 8, 4, 3, 2]
    assert (
        remove_old(database, Retention(age=timedelta(hours=1), per_agent=2), now=BEGIN + 7200 * SECOND) == 4
    )
    assert numbers(store) == [104, 103, 102, 4, 3, 2]


def test_evidence_is_kept_byte_for_byte_and_never_changes(store: Store) -> None:
    bundle = b'{"b": 1,  "a": "\xc3\xa4"}'
    of = Attempt("shop", "support", 3)
    assert store.put_evidence(of, bundle, now=BEGIN)
    assert not store.put_evidence(of, bundle, now=BEGIN + 1)
    with pytest.raises(EvidenceExistsError, match="attempt 3 of shop/support"):
        store.put_evidence(of, b'{"b": 1, "a": "\xc3\xa4"}', now=BEGIN)
    assert store.get_evidence("shop", "support", 3) == bundle
    assert store.get_evidence("shop", "support", 4) is None
    assert store.put_evidence(Attempt("shop", "support", 12), b"{}", now=BEGIN)
    assert store.put_evidence(Attempt("other", "support", 1), b"{}", now=BEGIN)
    assert store.attempts("shop", "support") == [12, 3]


def test_rollouts_of_one_name_keep_their_evidence_apart(store: Store) -> None:
    first, again = Attempt("shop", "support", 1, "u-1"), Attempt("shop", "support", 1, "u-2")
    assert store.put_evidence(Attempt("shop", "support", 2, "u-1"), b"{}", now=BEGIN + 1)
    assert store.put_evidence(again, b'{"new": 1}', now=BEGIN + 2)
    assert store.put_evidence(first, b'{"old": 1}', now=BEGIN)
    assert not store.put_evidence(first, b'{"old": 1}', now=BEGIN + 3)
    assert store.get_evidence("shop", "support", 1) == b'{"new": 1}'
    assert store.get_evidence("shop", "support", 1, uid="u-1") == b'{"old": 1}'
    assert store.get_evidence("shop", "support", 1, uid="u-3") is None
    assert store.attempts("shop", "support") == [1, 2]


def test_ledgers_that_start_at_the_same_moment_migrate_once(open_database: Callable[[], Database]) -> None:
    stores = [Store(open_database(), holdout=0) for _ in range(4)]
    assert not together([store.check for store in stores])


def test_a_file_that_several_make_at_the_same_moment_is_opened_by_all(tmp_path: Path) -> None:
    """By chance: SQLite refused one of them in a tenth of the tries."""

    def connect(database: Database) -> None:
        with database._engine.connect():
            pass

    failed: list[Exception] = []
    for number in range(60):
        opened = [Database(parse_url(f"sqlite:///{tmp_path}/{number}.db")) for _ in range(6)]
        failed += together([partial(connect, each) for each in opened])
        for each in opened:
            each.close()
    assert not failed


def test_a_transaction_that_fails_leaves_nothing(database: Database, store: Store) -> None:
    store.add([record(1)], now=BEGIN)

    def fail_halfway() -> None:
        with database.writing() as connection:
            connection.execute(sa.text("DELETE FROM tasks"))
            raise KeyError

    with pytest.raises(KeyError):
        fail_halfway()
    assert numbers(store) == [1]


def test_a_database_that_stops_is_unavailable_and_serves_again_when_it_is_back() -> None:
    with running_postgres() as server:
        database = Database(parse_url(server.create("ledger")))
        store = Store(database, holdout=0)
        store.add([record(1)], now=BEGIN)
        server.stop()
        with pytest.raises(StorageUnavailableError):
            store.add([record(2)], now=BEGIN)
        server.start()
        assert store.add([record(1), record(2)], now=BEGIN) == 1
        assert numbers(store) == [2, 1]
        database.close()


def test_a_database_that_is_down_at_the_start_is_migrated_when_it_comes() -> None:
    with running_postgres() as server:
        url = server.create("ledger")
        server.stop()
        database = Database(parse_url(url))
        store = Store(database, holdout=0)
        with pytest.raises(StorageUnavailableError):
            store.check()
        server.start()
        assert store.add([record(1)], now=BEGIN) == 1
        database.close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database " * 1000)
    database = Database(parse_url(f"sqlite:///{tmp_path}/ledger.db"))
    with pytest.raises(StorageUnavailableError, match="not a database"):
        Store(database, holdout=0).check()
    database.close()
