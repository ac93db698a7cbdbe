"""The connection to SQLite or PostgreSQL, and the transactions on it: all of one is stored, or nothing of it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

BUSY_MILLISECONDS: Final = 5_000
"""How long a writer waits for another one in SQLite."""
_AGAIN_SECONDS: Final = 0.01
CONNECT_SECONDS: Final = 5
STATEMENT_MILLISECONDS: Final = 30_000
_MIGRATIONS: Final = 7_305_882_612
"""The advisory lock of PostgreSQL under which one of several starting ledgers migrates."""
_SUPPORTED: Final = ("sqlite", "postgresql")


class StorageUnavailableError(Exception):
    """The database is down, full, locked or broken: nothing was written, and asking later may help."""


def parse_url(url: str) -> URL:
    """The address of the database; PostgreSQL is spoken to by psycopg 3.

    Raises:
        ValueError: it names no database of the two kinds.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError(_expected(url)) from error
    if parsed.get_backend_name() not in _SUPPORTED or not parsed.database or parsed.database == ":memory:":
        raise ValueError(_expected(parsed.render_as_string(hide_password=True)))
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _expected(seen: str) -> str:
    return (
        "expected the database as sqlite:////path/to/ledger.db or postgresql://user@host:5432/database; "
        f"got {seen!r}"
    )


class Database:
    """Transactions on one database. Nothing is opened before the first one, which also migrates the schema."""

    def __init__(self, url: URL) -> None:
        self._engine = _engine(url)
        self._lock = threading.Lock()
        self._migrated = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that writes nothing. StorageUnavailableError when the database can't be read now."""
        with _told_as_unavailable():
            self._migrate()
            with self._engine.begin() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is stored when the block ends, unless it raises; StorageUnavailableError as above."""
        with _told_as_unavailable():
            self._migrate()
            with self._engine.execution_options(writes=True).begin() as connection:
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _migrate(self) -> None:
        with self._lock:
            if self._migrated:
                return
            with self._engine.execution_options(writes=True).begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATIONS})
                    # NB: a large table takes longer than any request may.
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                config = Config()
                config.set_main_option("script_location", "agentrollouts.ledger:migrations")
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            self._migrated = True


@contextmanager
def _told_as_unavailable() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
        raise StorageUnavailableError(_cause(error)) from error
    except DatabaseError as error:
        # NB: SQLite says so of a damaged file; its subclasses beside those above are mistakes of ours.
        if type(error) is not DatabaseError:
            raise
        raise StorageUnavailableError(_cause(error)) from error


def _cause(error: Exception) -> str:
    """What the driver said, without the statement and its parameters: these hold what users wrote."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return f"{type(original).__name__}: {original}".strip()


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_MILLISECONDS / 1000}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=CONNECT_SECONDS,
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={STATEMENT_MILLISECONDS}",
        },
    )


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # NB: the driver would begin transactions by itself, and only before some statements.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}").close()
    _write_ahead(connection)
    # NB: less would lose, with the node, what had been answered with 202.
    connection.execute("PRAGMA synchronous = FULL").close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a write-ahead log. Of several that make a database at the same moment SQLite lets one, and doesn't let the others wait."""
    until = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its place at once: one that has read before it writes can't wait for another."""
    options: Any = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")
