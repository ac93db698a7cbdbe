"""One contract for the evidence store: the adapter to a real ledger process, and the fake that the operator's tests use."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agentrollouts.api.bundle import BundleStatus
from agentrollouts.bundles import LedgerBundles
from agentrollouts.ports import Bundle, EvidenceStore, Kept, NotKept
from tests.fakes.bundles import FakeBundles
from tests.ledger.process import LedgerProcess
from tests.ledger.tasks import document

BEGAN = datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
NAMES = (f"shop-{number}" for number in itertools.count())
"""A namespace of its own for each test: one ledger serves them all."""


def bundle(namespace: str, **facts: Any) -> Bundle:
    told = {
        "attempt": 3,
        "version": "2.0.0",
        "digest": "sha256:" + "b" * 64,
        "stable": "1.0.0",
        "stableDigest": "sha256:" + "a" * 64,
        "reason": "CheckFailed",
        "message": "success: schlechter, ä",
        "startedAt": BEGAN,
        "at": BEGAN + timedelta(hours=1),
        "share": 500,
        "checks": [{"name": "success", "verdict": "FAIL", "reason": "50.0% of 20 against 97.0% of 400"}],
        "changes": [{"field": "model.name", "before": "large", "after": "small"}],
        "diff": "-Be brief.\n+Be kind.\n",
    }
    return Bundle(namespace, "support", "u-1", "support", BundleStatus.model_validate(told | facts))


@dataclass
class Rig:
    """A store, and the ledger behind it as agents and people see it."""

    store: EvidenceStore
    namespace: str
    add: Callable[[Sequence[Any]], None]
    read: Callable[[str, str, int], Any]

    def failed(self, *numbers: int, **fields: Any) -> None:
        """Tasks of the candidate that failed; the number is the second in which each ended."""
        told = {"namespace": self.namespace, "version": "2.0.0", "outcome": "failure"} | fields
        self.add([document(number, **told) | {"id": identity(self.namespace, number)} for number in numbers])

    def kept(self, attempt: int = 3) -> Any:
        return self.read(self.namespace, "support", attempt)


def identity(namespace: str, number: int) -> str:
    return f"{namespace.partition('-')[2]:0>8}{number:024x}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ledger")
    for role in ("agent", "reader", "operator"):
        (made / role).write_text(f"{role}-token-of-the-tests\n")
    return made


@pytest.fixture(scope="module")
def ledger(folder: Path) -> Iterator[LedgerProcess]:
    process = LedgerProcess(folder, "--tokens", str(folder))
    process.start()
    yield process
    process.close()


def ask(ledger: LedgerProcess, role: str, method: str, path: str, body: object = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {role}-token-of-the-tests"}
    request = urllib.request.Request(ledger.url + path, content, headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


@pytest_asyncio.fixture(params=["fake", "ledger"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    namespace = next(NAMES)
    if request.param == "fake":
        fake = FakeBundles()
        yield Rig(fake, namespace, fake.add, fake.read)
        return
    process: LedgerProcess = request.getfixturevalue("ledger")
    store = LedgerBundles(process.url, request.getfixturevalue("folder") / "operator")

    def add(tasks: Sequence[Any]) -> None:
        assert not ask(process, "agent", "POST", "/v1/tasks", tasks)["rejected"]

    def read(namespace: str, rollout: str, attempt: int) -> Any:
        return ask(process, "reader", "GET", f"/v1/evidence/{namespace}/{rollout}/{attempt}")

    yield Rig(store, namespace, add, read)
    await store.close()


@pytest.mark.asyncio
async def test_what_was_known_is_kept_with_the_tasks_that_failed(rig: Rig) -> None:
    rig.failed(9, 10, 11, 12)
    rig.failed(20, outcome="success")
    rig.failed(21, version="1.0.0")
    rig.failed(22, shadow=True)
    rig.failed(23, agent="billing")
    rig.failed(24, namespace="elsewhere")
    assert await rig.store.keep(bundle(rig.namespace)) == Kept()
    assert rig.kept() == {
        "namespace": rig.namespace,
        "rollout": "support",
        "uid": "u-1",
        "agent": "support",
        "attempt": 3,
        "candidate": {"version": "2.0.0", "digest": "sha256:" + "b" * 64},
        "stable": {"version": "1.0.0", "digest": "sha256:" + "a" * 64},
        "decision": {
            "action": "Rollback",
            "reason": "CheckFailed",
            "message": "success: schlechter, ä",
            "at": "2026-01-01T01:00:10.000000Z",
        },
        "startedAt": "2026-01-01T00:00:10.000000Z",
        "step": -1,
        "share": 500,
        "checks": [{"name": "success", "verdict": "FAIL", "reason": "50.0% of 20 against 97.0% of 400"}],
        "breakers": [],
        "changes": [{"field": "model.name", "before": "large", "after": "small"}],
        "diff": "-Be brief.\n+Be kind.\n",
        "failedTasks": [identity(rig.namespace, number) for number in (12, 11, 10)],
    }


@pytest.mark.asyncio
async def test_the_newest_fifty_tasks_are_named(rig: Rig) -> None:
    rig.failed(*range(100, 180))
    assert await rig.store.keep(bundle(rig.namespace)) == Kept()
    assert rig.kept()["failedTasks"] == [identity(rig.namespace, n) for n in range(179, 129, -1)]


@pytest.mark.asyncio
async def test_the_same_again_is_kept_once_although_more_tasks_have_come(rig: Rig) -> None:
    rig.failed(11)
    assert await rig.store.keep(bundle(rig.namespace)) == Kept()
    first = rig.kept()
    rig.failed(12)
    assert await rig.store.keep(bundle(rig.namespace)) == Kept()
    assert rig.kept() == first


@pytest.mark.asyncio
async def test_a_rollout_that_is_made_anew_counts_from_one_and_its_evidence_is_kept_too(rig: Rig) -> None:
    assert await rig.store.keep(bundle(rig.namespace)) == Kept()
    assert await rig.store.keep(replace(bundle(rig.namespace), uid="u-2")) == Kept()
    assert rig.kept()["uid"] == "u-2"
    assert await rig.store.keep(bundle(rig.namespace)) == Kept()
    assert rig.kept()["uid"] == "u-2", "the same again doesn't come anew"


@pytest.mark.asyncio
async def test_evidence_that_is_kept_stays_and_other_evidence_is_refused_for_good(rig: Rig) -> None:
    first = bundle(rig.namespace)
    assert await rig.store.keep(first) == Kept()
    later = first.facts.model_copy(update={"at": first.facts.at + timedelta(seconds=1)})
    said = await rig.store.keep(replace(first, facts=later))
    assert isinstance(said, NotKept)
    assert said.final
    assert "other evidence for attempt 3" in said.reason
    assert rig.kept()["decision"]["at"] == "2026-01-01T01:00:10.000000Z"
    assert await rig.store.keep(bundle(rig.namespace, attempt=4)) == Kept()
    assert rig.kept(4)["attempt"] == 4


@pytest.mark.asyncio
async def test_pages_that_end_early_are_followed(ledger: LedgerProcess, folder: Path) -> None:
    namespace = next(NAMES)
    large = {"namespace": namespace, "version": "2.0.0", "outcome": "failure", "output": "x" * 250_000}
    for number in range(11, 31):
        ask(
            ledger,
            "agent",
            "POST",
            "/v1/tasks",
            [document(number, **large) | {"id": identity(namespace, number)}],
        )
    store = LedgerBundles(ledger.url, folder / "operator")
    assert await store.keep(bundle(namespace)) == Kept()
    found = ask(ledger, "reader", "GET", f"/v1/evidence/{namespace}/support/3")["failedTasks"]
    assert found == [identity(namespace, number) for number in range(30, 10, -1)]
    await store.close()


async def refused(url: str, token: Path | None = None) -> NotKept:
    store = LedgerBundles(url, token)
    said = await store.keep(bundle("shop"))
    await store.close()
    assert isinstance(said, NotKept)
    return said


@pytest.mark.asyncio
async def test_a_ledger_that_is_down_may_have_it_later() -> None:
    said = await refused("http://127.0.0.1:9")
    assert not said.final
    assert said.reason == "the ledger at http://127.0.0.1:9 can't be reached: ConnectError"


@pytest.mark.asyncio
async def test_a_token_that_may_not_is_told_and_another_one_may_come(
    ledger: LedgerProcess, folder: Path, tmp_path: Path
) -> None:
    for token in (folder / "agent", tmp_path / "none", None):
        said = await refused(ledger.url, token)
        assert not said.final
        assert "must be one of the ledger's role operator" in said.reason
    (tmp_path / "empty").write_text(" \n")
    assert "empty has no token that can be read" in (await refused(ledger.url, tmp_path / "empty")).reason


@pytest.mark.parametrize(
    ("status", "body", "final", "pause", "words"),
    [
        (503, b'{"error": "the database is down"}', False, 17.0, "answered 503: the database is down"),
        (500, b"<html>", False, 17.0, "answered 500"),
        (404, b"", False, 17.0, "answered 404"),
        (200, b"[]", False, None, "is no task ledger"),
        (200, b"<html>", False, None, "is no task ledger"),
        (200, b'{"tasks": [7], "next": null}', False, None, "is no task ledger"),
    ],
)
@pytest.mark.asyncio
async def test_what_is_no_answer_of_a_ledger_is_tried_again(
    status: int, body: bytes, pause: float | None, words: str, *, final: bool
) -> None:
    with answering(lambda _: (status, body)) as url:
        said = await refused(url)
    assert (said.final, said.retry_after) == (final, pause)
    assert words in said.reason


@pytest.mark.parametrize(("status", "final"), [(400, True), (413, True), (503, False)])
@pytest.mark.asyncio
async def test_a_bundle_that_is_refused_for_itself_is_refused_for_good(status: int, *, final: bool) -> None:
    tasks = b'{"tasks": [], "next": null}'
    with answering(lambda method: (200, tasks) if method == "GET" else (status, b"{}")) as url:
        assert (await refused(url)).final is final


@pytest.mark.asyncio
async def test_one_that_hangs_can_be_left() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hang(_: str) -> tuple[int, bytes]:
        asked.set()
        go_on.wait()
        return 200, b"{}"

    with answering(hang) as url:
        store = LedgerBundles(url)
        task = asyncio.create_task(store.keep(bundle("shop")))
        await asyncio.to_thread(asked.wait)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        go_on.set()
        await store.close()


class answering:  # noqa: N801
    """A server in the ledger's place; entering gives its URL."""

    def __init__(self, answer: Callable[[str], tuple[int, bytes]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                status, content = answer(self.command)
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.send_header("retry-after", "17")
                # Who was left waiting has hung up.
                with contextlib.suppress(BrokenPipeError):
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_PUT = _answer  # noqa: N815

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
