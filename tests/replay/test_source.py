"""Tasks out of a real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.source import from_ledger
from tests.ledger.process import LedgerProcess
from tests.replay.lanes import document


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerProcess]:
    folder = tmp_path_factory.mktemp("ledger")
    process = LedgerProcess(folder)
    process.start()
    items = [
        document(
            n, version=("1.0.0", "1.1.0")[n % 2], finishedAt=f"2026-01-01T00:{n // 60:02d}:{n % 60:02d}Z"
        )
        for n in range(450)
    ]
    for first in (0, 300):
        assert process.post("/v1/tasks", items[first : first + 300])[0] == 202
    process.post("/v1/tasks", [document(1000, agent="other"), document(1001, namespace="elsewhere")])
    yield process
    process.close()


def numbers(ledger: LedgerProcess, **asked: object) -> list[int]:
    with httpx.Client(trust_env=False) as client:
        return [
            int(record.id, 16)
            for record in from_ledger(client, ledger.url, namespace="shop", agent="support", **asked)
        ]  # type: ignore[arg-type]


def test_every_page_is_read_and_no_other_agents_tasks(ledger: LedgerProcess) -> None:
    assert numbers(ledger) == list(range(449, -1, -1))


def test_no_more_are_read_than_are_asked_for(ledger: LedgerProcess) -> None:
    assert numbers(ledger, most=250) == list(range(449, 199, -1))


def test_those_of_one_version_can_be_had_alone(ledger: LedgerProcess) -> None:
    assert numbers(ledger, version="1.1.0", most=3) == [449, 447, 445]


def test_what_the_ledger_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "reader").write_text("a-token-that-may-read")
    process = LedgerProcess(tmp_path, "--tokens", str(tmp_path))
    process.start()
    try:
        with (
            httpx.Client(trust_env=False) as client,
            pytest.raises(ReplayError, match=r"token.*--token-file"),
        ):
            list(from_ledger(client, process.url, namespace="shop", agent="support"))
        with httpx.Client(
            trust_env=False, headers={"authorization": "Bearer a-token-that-may-read"}
        ) as client:
            assert list(from_ledger(client, process.url, namespace="shop", agent="support")) == []
    finally:
        process.close()
    with httpx.Client(trust_env=False) as client, pytest.raises(ReplayError, match=r"can't be reached"):
        list(from_ledger(client, process.url, namespace="shop", agent="support"))
