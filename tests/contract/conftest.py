from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentrollouts.ledger.database import Database, parse_url
from tests.ledger.postgres import Postgres, running_postgres

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def make_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes the address of an empty database."""

    def make_one() -> str:
        number = next(NUMBERS)
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path}/ledger{number}.db"
        url: str = request.getfixturevalue("postgres").create(f"store{number}")
        return url

    return make_one


@pytest.fixture
def open_url() -> Iterator[Callable[[str], Database]]:
    opened: list[Database] = []

    def open_one(url: str) -> Database:
        opened.append(Database(parse_url(url)))
        return opened[-1]

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def open_database(
    make_database_url: Callable[[], str], open_url: Callable[[str], Database]
) -> Callable[[], Database]:
    """Opens one and the same database each time."""
    url = make_database_url()
    return lambda: open_url(url)
