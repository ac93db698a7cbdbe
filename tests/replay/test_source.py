"""Tasks out of a real ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.journal import Journal
from agentrollouts.replay.plan import Plan
from agentrollouts.replay.records import PAUSES, Records, drawn_with_patience
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


class Patient:
    """A reading as the Job does it, but for the time that its pauses take. ``between``: what happens in the pause of that number."""

    def __init__(self, folder: Path, url: str, between: Callable[[int], None] = lambda _: None) -> None:
        self.pauses: list[float] = []
        self.told: list[str] = []
        self._folder, self._url, self._between = folder, url, between

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._between(len(self.pauses))

    def read(self) -> Plan:
        token = self._folder / "shown"
        if not token.exists():
            token.write_text("a-new-token-that-may-read")
        records = Records("ledger", "shop", "support", "", "", self._url, str(token))
        with Journal(self._folder / "journal", {"candidate": "c"}) as journal:
            return asyncio.run(
                drawn_with_patience(journal, records, 5, seed="s", tell=self.told.append, sleep=self._sleep)
            )


def test_a_token_that_the_ledger_doesnt_know_yet_is_shown_again(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tokens / "agent").write_text("a-token-that-may-post")
    process = LedgerProcess(tmp_path, "--tokens", str(tokens))
    process.start()

    def kubelet(pause: int) -> None:
        if pause == 3:
            (tokens / "reader").write_text("a-new-token-that-may-read")

    try:
        items = [document(n) for n in range(8)]
        assert process.post("/v1/tasks", items, {"authorization": "Bearer a-token-that-may-post"})[0] == 202
        reading = Patient(tmp_path, process.url, kubelet)
        assert len(reading.read().tasks) == 5
        assert reading.pauses == list(PAUSES[:3])
        assert all("--token-file; it is asked again in" in line for line in reading.told)
    finally:
        process.close()


def test_a_ledger_that_comes_back_is_read_and_one_that_never_does_is_given_up(tmp_path: Path) -> None:
    process = LedgerProcess(tmp_path)
    try:
        never = Patient(tmp_path, process.url)
        with pytest.raises(ReplayError, match=r"the task ledger at .* can't be reached"):
            never.read()
        assert never.pauses == list(PAUSES)
        assert 100 <= sum(PAUSES) <= 140, "a minute is what a kubelet takes"

        again = Patient(tmp_path, process.url, lambda pause: process.start() if pause == 2 else None)
        assert (again.read().tasks, len(again.pauses)) == ((), 2)
    finally:
        process.close()


@pytest.mark.parametrize(
    ("status", "body", "tries"),
    [(401, b'{"error": "who?"}', 9), (403, b"{}", 9), (503, b'{"error": "full"}', 9), (502, b"<html>", 9),
     (400, b'{"error": "what?"}', 1), (404, b"<html>", 1), (200, b"[]", 1)],
)  # fmt: skip
def test_what_may_pass_is_tried_again_and_nothing_else(
    tmp_path: Path, status: int, body: bytes, tries: int
) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            with pytest.raises(ReplayError) as refused:
                Patient(tmp_path, f"http://127.0.0.1:{server.server_port}").read()
        finally:
            server.shutdown()
            thread.join()
    assert len(asked) == tries
    said = json.loads(body).get("error", "") if body.startswith(b'{"error') else ""
    assert str(refused.value).startswith(
        said or ("the task ledger at" if body == b"{}" or status == 200 else "what answers at")
    )
