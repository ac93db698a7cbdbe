"""The ledger's application over a real SQLite file, without a socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentrollouts.ledger.access import Access
from agentrollouts.ledger.app import build
from agentrollouts.ledger.database import Database, parse_url
from agentrollouts.ledger.service import Service
from agentrollouts.ledger.store import Store
from agentrollouts.ledger.telemetry import Telemetry
from tests.ledger.asking import exchange
from tests.ledger.tasks import BEGIN

TOKENS = {role: f"{role}-token-of-the-tests" for role in ("agent", "reader", "improver", "operator")}
Ask = Callable[..., httpx.Response]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Ask]]:
    databases: list[Database] = []

    def make_one(
        *, tokens: bool = False, redaction: Any = (), holdout: int = 0, path: Path = tmp_path / "ledger.db"
    ) -> Ask:
        folder = tmp_path / "tokens"
        folder.mkdir(exist_ok=True)
        for role, token in TOKENS.items():
            (folder / role).write_text(token + "\n")
        databases.append(Database(parse_url(f"sqlite:///{path}")))
        service = Service(
            Store(databases[-1], holdout=holdout),
            access=Access(folder if tokens else None),
            redaction=redaction,
            telemetry=Telemetry(),
            clock=lambda: BEGIN,
        )

        def ask(method: str, path: str, body: Any = None, *, role: str = "", **more: Any) -> httpx.Response:
            content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            headers = {"authorization": f"Bearer {TOKENS[role]}"} if role else {}

            return exchange(build(service), method, path, content, headers | more.get("headers", {}))

        return ask

    yield make_one
    for database in databases:
        database.close()


def told(answer: httpx.Response) -> str:
    text: str = answer.json()["error"]
    return text
