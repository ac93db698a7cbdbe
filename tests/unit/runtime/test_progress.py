"""How far Jobs have come, asked beside the ticks; the pod is a real server where HTTP matters."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from agentrollouts.core.proof_run import Broken, Running
from agentrollouts.ports import Key
from agentrollouts.replay.progress import PodProgress
from agentrollouts.replay.recordings import Recordings
from agentrollouts.runtime.progress import ProgressBook
from agentrollouts.runtime.scheduler import Timing
from tests.builders import START

KEY = Key("Rollout", "shop", "support")
JOB = "support-replayed-0123456789"


@dataclass
class Pods:
    """Says at each address what it is told to; a question waits until it may be answered."""

    words: dict[str, str] = field(default_factory=dict)
    asked: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    async def ask(self, address: str) -> str:
        self.asked.put_nowait(address)
        await self.turn.acquire()
        return self.words.get(address, "")

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Stage:
    pods: Pods = field(default_factory=Pods)
    woken: asyncio.Queue[Key] = field(default_factory=asyncio.Queue)
    book: ProgressBook = field(init=False)

    def __post_init__(self) -> None:
        async def sleep(_: float) -> None:
            await asyncio.sleep(0)

        self.book = ProgressBook(self.pods, self.woken.put_nowait, Timing(sleep=sleep))

    def said(self) -> str:
        run = self.book.told(KEY, {JOB: Running()})[JOB]
        assert isinstance(run, Running)
        return run.progress


@pytest.mark.asyncio
async def test_what_a_pod_says_wakes_its_rollout_once_and_is_shown() -> None:
    stage = Stage()
    stage.pods.words["10.0.0.1:8199"] = "1 of 4 answers"
    stage.book.follow(KEY, {JOB: "10.0.0.1:8199"})
    stage.book.follow(KEY, {JOB: "10.0.0.1:8199"})
    assert stage.said() == ""
    stage.pods.turn.release()
    assert await stage.woken.get() == KEY
    assert stage.said() == "1 of 4 answers"
    for _ in range(3):
        await stage.pods.asked.get()
        stage.pods.turn.release()
    assert stage.woken.empty(), "the same words are no news"
    stage.pods.words["10.0.0.1:8199"] = "2 of 4 answers"
    stage.pods.turn.release()
    await stage.woken.get()
    assert stage.said() == "2 of 4 answers"
    await stage.book.close()


@pytest.mark.asyncio
async def test_a_pod_that_has_gone_is_asked_no_more_and_its_words_are_forgotten() -> None:
    stage = Stage()
    stage.pods.words = {"a:1": "3 of 4 answers", "b:1": "1 of 4 answers"}
    stage.book.follow(KEY, {JOB: "a:1"})
    stage.pods.turn.release()
    await stage.woken.get()
    stage.book.follow(KEY, {JOB: "b:1"})
    assert stage.said() == ""
    stage.pods.turn.release()
    await stage.woken.get()
    assert stage.said() == "1 of 4 answers"
    stage.book.forget(KEY)
    assert stage.said() == ""
    await stage.book.close()


@pytest.mark.asyncio
async def test_only_a_job_that_runs_has_any() -> None:
    stage = Stage()
    stage.pods.words["a:1"] = "3 of 4 answers"
    stage.book.follow(KEY, {JOB: "a:1"})
    stage.pods.turn.release()
    await stage.woken.get()
    over = {JOB: Broken("no word", START), "other": Running()}
    assert stage.book.told(KEY, over) == over
    await stage.book.close()


@pytest.mark.asyncio
async def test_a_replaying_pod_answers() -> None:
    pods = PodProgress()
    with Recordings("127.0.0.1", 0) as recordings:
        recordings.progress = 12, 400
        assert await pods.ask(f"127.0.0.1:{recordings.port}") == "12 of 400 answers"
    await pods.close()


@pytest.mark.asyncio
async def test_where_nobody_listens_there_is_no_progress() -> None:
    pods = PodProgress()
    assert await pods.ask("127.0.0.1:1") == ""
    assert await pods.ask("nonsense:port") == ""
    await pods.close()


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[bytes]]]:
    """Somebody else at the address, and what it answers."""
    answers: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers[0])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"<html>", b'{"done": 5, "total": 4}', b'{"done": -1, "total": 4}', b'{"done": 1, "total": 1e9}',
     b'{"done": 1, "total": 2, "more": "' + b"x" * 1000 + b'"}'],
)  # fmt: skip
async def test_what_a_stranger_answers_is_no_progress(stranger: tuple[str, list[bytes]], body: bytes) -> None:
    address, answers = stranger
    answers.append(body)
    pods = PodProgress()
    assert await pods.ask(address) == ""
    await pods.close()
