"""From a task to the ledger: a real ledger process where one answers, a plain HTTP server where one misbehaves."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentrollouts_kit import OutcomeMiddleware, Reporter, posting, task
from agentrollouts_kit.delivery import LedgerDownError, deliver
from agentrollouts_kit.records import Draft
from tests.kit.reading import Reading
from tests.ledger.process import LedgerProcess
from tests.unit.kit.conftest import HandClock

Make = Callable[..., Reporter]
Answer = tuple[int, bytes, dict[str, str]]
TAKEN = b'{"stored":1,"duplicates":0,"rejected":[]}'


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerProcess]:
    folder = tmp_path_factory.mktemp("ledger")
    (folder / "agent").write_text("a-token-of-the-tests")
    (folder / "reader").write_text("a-token-of-a-reader")
    process = LedgerProcess(folder)
    process.start()
    yield process
    process.close()


@contextmanager
def answering(answer: Callable[[bytes], Answer]) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A server in the ledger's place: its URL, and the path and body of each request so far."""
    seen: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path + " " + self.headers.get("authorization", ""), body))
            status, content, headers = answer(body)
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def flushed(reporter: Reporter) -> posting.Posted:
    reporter.drain_blocking(30)
    return reporter._posting.counts()


def found(ledger: LedgerProcess, question: str) -> list[dict[str, Any]]:
    return [one for one in ledger.tasks() if question in json.dumps(one["input"])]


def test_without_a_ledger_nothing_is_recorded_and_no_series_is_added(make_reporter: Make) -> None:
    reporter = make_reporter()
    with reporter.task() as t:
        assert not t.recorded
        t.record_input("x")
        t.tool_call("lookup", arguments={"a": 1}, result=2)
    assert "agent_ledger" not in reporter.render("").body.decode()
    assert not reporter._posting._threads


def test_a_task_is_posted_with_what_was_told_of_it(
    make_reporter: Make, ledger: LedgerProcess, clock: HandClock, in_request: Callable[..., None]
) -> None:
    reporter = make_reporter(ledger_url=ledger.url + "/")
    in_request("candidate", "user-1")
    asked = {"told": ["first"]}
    with reporter.task() as t:
        assert t.recorded
        t.record_input(asked)
        asked["told"].append("changed afterwards")
        t.llm_call(calls=2, cost_usd=0.25)
        t.tool_call("lookup", ok=False, arguments={"id": 7}, error="no such order", duration_seconds=0.5)
        t.tool_call("undeclared", result={1})
        t.record_output("answer")
        t.record_expected("better answer")
        t.thumbs_down()
        t.refuse()
        clock.now += 1.5
    counts = flushed(reporter)
    assert (counts.posted, counts.spooled, set(counts.dropped.values())) == (1, 0, {0})
    (one,) = found(ledger, '"told"')
    assert one["input"] == {"told": ["first"]}
    assert (one["output"], one["expected"], one["outcome"]) == ("answer", "better answer", "refused")
    assert (one["cohort"], one["feedback"], one["refusal"], one["shadow"]) == (
        "candidate",
        ["thumbs_down"],
        True,
        False,
    )
    assert (one["costDollars"], one["llmCalls"]) == ("0.25", 2)
    assert [(call["name"], call["arguments"], call["result"]) for call in one["toolCalls"]] == [
        ("lookup", {"id": 7}, None),
        ("undeclared", None, [1]),
    ]
    assert (one["toolCalls"][0]["error"], one["toolCalls"][0]["durationSeconds"]) == ("no such order", 0.5)
    assert len(one["session"]) == 26
    assert "user-1" not in json.dumps(one)
    seconds = [float(one[name][17:-1]) for name in ("startedAt", "finishedAt")]
    assert (seconds[1] - seconds[0]) % 60 == pytest.approx(1.5)
    reading = Reading.of(reporter)
    assert reading("agent_ledger_posted_total") == 1
    assert reading("agent_ledger_spooled") == 0
    assert reading("agent_tool_calls_total", tool="other", outcome="success", cohort="candidate") == 1


def test_a_task_that_outlived_its_session_is_the_failure_it_was_counted_as(
    make_reporter: Make, ledger: LedgerProcess, clock: HandClock, in_request: Callable[..., None]
) -> None:
    reporter = make_reporter(ledger_url=ledger.url)
    in_request("stable", "user-2")
    with reporter.task() as t:
        t.record_input("outlived")
        clock.now += 4000
        reporter.ledger.sweep()
        t.success()
    flushed(reporter)
    assert [one["outcome"] for one in found(ledger, "outlived")] == ["failure"]


def test_a_value_that_cannot_be_read_is_left_out_and_noted(
    make_reporter: Make, ledger: LedgerProcess
) -> None:
    class Unreadable:
        def __str__(self) -> str:
            raise RuntimeError

    reporter = make_reporter(ledger_url=ledger.url)
    with reporter.task() as t:
        t.record_input("unreadable follows")
        t.record_output(Unreadable())
        t.tool_call("lookup", result=[Unreadable()])
        t.tool_call("lookup", result="readable")
    assert flushed(reporter).posted == 1
    assert reporter.problems.total == 2
    (one,) = found(ledger, "unreadable follows")
    assert one["output"] is None
    assert [call["result"] for call in one["toolCalls"]] == ["readable"]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers in two pieces, with a task in each of as many scopes as the query says."""
    asked = b""
    while (message := await receive()).get("more_body"):
        asked += message["body"]
    asked += message["body"]
    mode = scope["query_string"].decode()
    with task() as t:
        if mode == "told":
            t.record_output("told by the agent")
        if mode == "inside":
            await answer(send, asked)
    if mode == "two":
        with task():
            pass
    if mode != "inside":
        await answer(send, asked)


async def answer(send: Any, asked: bytes) -> None:
    kind = [(b"Content-Type", b"application/json")]
    await send({"type": "http.response.start", "status": 500, "headers": kind})
    await send({"type": "http.response.body", "body": b'{"heard":', "more_body": True})
    await send({"type": "http.response.body", "body": asked + b"}"})


@pytest.mark.parametrize("mode", ["", "inside", "told", "two"])
def test_the_middleware_takes_input_and_output_from_the_request(
    make_reporter: Make, ledger: LedgerProcess, mode: str
) -> None:
    reporter = make_reporter(ledger_url=ledger.url)
    wrapped = OutcomeMiddleware(app, reporter)

    async def ask() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(wrapped), base_url="http://agent"
        ) as client:
            await client.post(f"/chat?{mode}", json={"mode": f"<{mode}>"})

    asyncio.run(ask())
    assert flushed(reporter).posted == (2 if mode == "two" else 1)
    (one,) = found(ledger, f"<{mode}>")
    assert one["input"] == {"mode": f"<{mode}>"}
    assert one["output"] == ("told by the agent" if mode == "told" else {"heard": {"mode": f"<{mode}>"}})


def test_a_body_beyond_the_limit_is_told_by_its_size(make_reporter: Make, ledger: LedgerProcess) -> None:
    reporter = make_reporter(ledger_url=ledger.url)
    wrapped = OutcomeMiddleware(app, reporter)

    async def ask() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(wrapped), base_url="http://agent"
        ) as client:
            await client.post("/chat", content=b"1" * 300_007)

    asyncio.run(ask())
    assert flushed(reporter).cut == 1
    (one,) = found(ledger, '"bytes": 300007')
    assert one["input"] == {"truncated": True, "bytes": 300_007}
    assert one["output"]["truncated"]


def test_tasks_wait_on_the_disk_for_a_ledger_that_is_down_and_outlive_the_process(
    make_reporter: Make, tmp_path: Path
) -> None:
    process = LedgerProcess(tmp_path)
    state = str(tmp_path / "state")
    first = make_reporter(ledger_url=process.url, state_dir=state)
    for number in range(5):
        with first.task() as t:
            t.record_input(number)
    until(lambda: first._posting.counts().spooled == 5 == len(list_records(tmp_path)))
    first.close()
    process.start()
    again = make_reporter(ledger_url=process.url, state_dir=state)
    again.serve()
    until(lambda: again._posting.counts().posted == 5)
    assert sorted(one["input"] for one in process.tasks()) == [0, 1, 2, 3, 4]
    assert list_records(tmp_path) == []
    process.close()


def list_records(folder: Path) -> list[bytes]:
    files = sorted((folder / "state" / "ledger-spool").glob("[0-9]*.ndjson"))
    return [line for file in files for line in file.read_bytes().splitlines()]


def test_a_ledger_that_hangs_delays_neither_the_agent_nor_the_spool(
    make_reporter: Make, tmp_path: Path
) -> None:
    released = threading.Event()

    def hang(_: bytes) -> Answer:
        released.wait(60)
        return 202, TAKEN, {}

    with answering(hang) as (url, seen):
        reporter = make_reporter(ledger_url=url, state_dir=str(tmp_path / "state"))
        with reporter.task():
            pass
        until(lambda: len(seen) == 1)
        for _ in range(posting.QUEUE * 2):
            with reporter.task():
                pass
            until(lambda: not reporter._posting._handover)
        counts = reporter._posting.counts()
        assert (counts.spooled, counts.dropped["queue"]) == (posting.QUEUE * 2 + 1, 0)
        released.set()
        assert flushed(reporter).posted == posting.QUEUE * 2 + 1


def test_what_finds_no_room_is_dropped_and_counted(
    make_reporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "MEMORY_BYTES", 1500)
    with answering(lambda _: (503, b"", {"retry-after": "1"})) as (url, _):
        reporter = make_reporter(ledger_url=url)
        for _ in range(5):
            with reporter.task() as t:
                t.record_input("x" * 500)
            until(lambda: not reporter._posting._handover)
        counts = reporter._posting.counts()
        assert (counts.spooled, counts.dropped["spool"]) == (1, 4)
        assert Reading.of(reporter)("agent_ledger_dropped_total", reason="spool") == 4


def test_a_queue_that_is_full_drops_and_does_not_wait(
    make_reporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting.Posting, "start", lambda _: None)
    reporter = make_reporter(ledger_url="http://127.0.0.1:9")
    for _ in range(posting.QUEUE + 3):
        with reporter.task():
            pass
    counts = reporter._posting.counts()
    assert (counts.spooled, counts.dropped["queue"]) == (posting.QUEUE, 3)


def test_tasks_that_end_within_a_moment_are_written_and_posted_together(
    make_reporter: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(posting, "WRITE_SECONDS", 3600)
    monkeypatch.setattr(posting, "POST_SECONDS", 3600)
    with answering(lambda _: (202, TAKEN, {})) as (url, seen):
        reporter = make_reporter(ledger_url=url, state_dir=str(tmp_path / "state"))
        spool = tmp_path / "state" / "ledger-spool"
        for _ in range(20):
            with reporter.task():
                pass
        until(spool.exists)
        assert reporter._posting.counts().spooled == 20
        assert list_records(tmp_path) == []
        reporter._posting._handover.hurry()
        until(lambda: not reporter._posting._handover)
        assert [file.name.rsplit("-", 1)[1] for file in spool.iterdir()] == ["20.ndjson"]
        for _ in range(3):
            with reporter.task():
                pass
            until(lambda: not reporter._posting._handover)
        assert (len(list_records(tmp_path)), seen) == (23, [])
        assert flushed(reporter).posted == 23
        assert [body.count(b"\n") for _, body in seen] == [23]


def test_what_fills_batches_is_posted_without_a_pause_and_what_does_not_waits(
    make_reporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "POST_SECONDS", 3600)
    made: list[Reporter] = []
    pauses: list[float | None] = []

    class Noting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return super().wait(timeout)

    def take(_: bytes) -> Answer:
        made[0]._posting._hurry.clear()
        return 202, TAKEN, {}

    with answering(take) as (url, seen):
        made.append(make_reporter(ledger_url=url))
        made[0]._posting._hurry = Noting()
        with monkeypatch.context() as patched:
            patched.setattr(posting.Posting, "start", lambda _: None)
            for _ in range(posting.QUEUE):
                with made[0].task():
                    pass
        made[0]._posting.start()
        until(lambda: not made[0]._posting._handover)
        assert not seen
        made[0]._posting._hurry.set()
        until(lambda: made[0]._posting.counts().posted == posting.QUEUE)
        assert [body.count(b"\n") for _, body in seen] == [100, 100, 56]
        until(lambda: len(pauses) == 5)
        assert pauses == [3600, 0.0, 0.0, 0.0, 3600]


def test_tasks_that_come_too_fast_are_written_without_a_rest(
    make_reporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "WRITE_SECONDS", 3600)
    with answering(lambda _: (503, b"", {})) as (url, _):
        reporter = make_reporter(ledger_url=url)
        for _ in range(posting.QUEUE // 2 + 1):
            with reporter.task():
                pass
        until(lambda: len(reporter._posting._handover) <= posting.QUEUE // 2)
        assert reporter._posting.counts().dropped["queue"] == 0


def test_after_the_end_nothing_is_posted(
    make_reporter: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(posting, "POST_SECONDS", 3600)
    with answering(lambda _: (202, TAKEN, {})) as (url, seen):
        reporter = make_reporter(ledger_url=url, state_dir=str(tmp_path / "state"))
        with reporter.task():
            pass
        until(lambda: not reporter._posting._handover)
        threads = reporter._posting._threads
        reporter.close()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert (seen, len(list_records(tmp_path))) == ([], 1)


def test_what_was_put_before_the_end_is_written(make_reporter: Make, tmp_path: Path) -> None:
    reporter = make_reporter(ledger_url="http://127.0.0.1:9", state_dir=str(tmp_path / "state"))
    for _ in range(10):
        with reporter.task():
            pass
    spool, _ = reporter._posting._threads
    ended = reporter._posting
    reporter.close()
    spool.join(60)
    assert len(list_records(tmp_path)) == 10
    ended.put(Draft(f"{0:032x}", 0, None, shadow=False))
    assert ended.counts().dropped["queue"] == 1


def test_a_record_that_is_refused_is_dropped_and_noted_and_the_others_arrive(make_reporter: Make) -> None:
    refusal = json.dumps(
        {"stored": 1, "duplicates": 0, "rejected": [{"index": 0, "error": "agent: wrong"}]}
    ).encode()
    with answering(lambda _: (202, refusal, {})) as (url, _):
        reporter = make_reporter(ledger_url=url)
        with reporter.task():
            pass
        counts = flushed(reporter)
        assert (counts.posted, counts.dropped["refused"], counts.spooled) == (0, 1, 0)
        assert reporter.problems.total == 1


def test_the_end_of_the_process_waits_for_a_dead_ledger_only_so_long(
    make_reporter: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(lambda _: (503, b"", {})) as (url, seen):
        reporter = make_reporter(ledger_url=url)
        with reporter.task():
            pass
        until(lambda: len(seen) == 1)
        reporter.drain_blocking(0)
        assert reporter._posting.counts().spooled == 1


def test_at_the_end_nothing_waits_for_others(make_reporter: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "WRITE_SECONDS", 3600)
    monkeypatch.setattr(posting, "POST_SECONDS", 3600)
    with answering(lambda _: (202, TAKEN, {})) as (url, _):
        reporter = make_reporter(ledger_url=url)
        with reporter.task():
            pass
        assert flushed(reporter).posted == 1


def test_who_is_in_a_hurry_asks_a_dead_ledger_once_more_and_then_pauses(make_reporter: Make) -> None:
    hurried: list[bool] = []

    class Noting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            hurried.append(self.is_set())
            return super().wait(timeout)

    with answering(lambda _: (503, b"", {"retry-after": "3600"})) as (url, seen):
        reporter = make_reporter(ledger_url=url)
        reporter._posting._hurry = Noting()
        reporter._posting._hurry.set()
        with reporter.task():
            pass
        until(lambda: len(seen) == 2 and hurried[-1:] == [False])
        assert hurried.count(False) == 1


def test_a_forked_child_posts_its_own_tasks(
    make_reporter: Make, ledger: LedgerProcess, tmp_path: Path
) -> None:
    reporter = make_reporter(ledger_url=ledger.url, state_dir=str(tmp_path / "state"))
    with reporter.task() as t:
        t.record_input("forked: parent")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with reporter.task() as t:
                t.record_input("forked: child")
            status = int(flushed(reporter).spooled != 0)
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    with reporter.task() as t:
        t.record_input("forked: parent again")
    assert flushed(reporter).spooled == 0
    # Both went on from the same state, and neither's ids are the other's.
    assert sorted(one["input"] for one in found(ledger, "forked")) == [
        "forked: child",
        "forked: parent",
        "forked: parent again",
    ]


def test_ids_are_each_its_own_whatever_an_agent_does_with_chance(make_reporter: Make) -> None:
    ids = set()
    for _ in range(3):
        recording = make_reporter(ledger_url="http://127.0.0.1:9").recording
        for _ in range(100):
            random.seed(7)
            draft = recording.begin(cohort=0, session=None, shadow=False)
            assert draft is not None
            assert re.fullmatch("[0-9a-f]{32}", draft.id)
            ids.add(draft.id)
    assert len(ids) == 300


LINES = [b'{"id":1}', b'{"id":2}', b'{"id":3}']


def test_the_token_is_read_anew_for_each_batch(tmp_path: Path) -> None:
    token = tmp_path / "token"
    with answering(lambda _: (202, TAKEN, {})) as (url, seen):
        for text in ("first\n", "second"):
            token.write_text(text)
            assert deliver(url + "/ledger", str(token), LINES).posted == 3
        assert [head for head, _ in seen] == [
            "/ledger/v1/tasks Bearer first",
            "/ledger/v1/tasks Bearer second",
        ]
        assert seen[0][1].splitlines() == LINES
        token.write_text("")
        with pytest.raises(LedgerDownError, match="AGENT_LEDGER_TOKEN_FILE"):
            deliver(url, str(token), LINES)
        assert len(seen) == 2


def test_a_token_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    with answering(lambda _: (202, TAKEN, {})) as (url, seen):
        assert deliver(url, str(tmp_path / "agent"), LINES).posted == 3
    assert seen[0][0] == "/v1/tasks "


def test_an_agent_without_a_token_that_is_refused_says_once_what_to_do_and_posts_when_it_has_one(
    make_reporter: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "agent").write_text("a-token-of-the-tests")
    token = tmp_path / "agent"
    guarded = LedgerProcess(tmp_path, "--tokens", str(tmp_path / "tokens"))
    guarded.start()
    try:
        reporter = make_reporter(ledger_url=guarded.url, ledger_token_file=str(token))
        with reporter.task() as t:
            t.record_input("without a token")

        def told() -> list[str]:
            return [line.getMessage() for line in caplog.records if "ledger" in line.getMessage()]

        until(lambda: bool(told()))
        reporter._posting._hurry.set()
        until(lambda: reporter.problems.total >= 2)
        assert len(told()) == 1
        assert f"AGENT_LEDGER_TOKEN_FILE={token} isn't there: make the Secret" in told()[0]
        token.write_text("a-token-of-the-tests")
        assert flushed(reporter).posted == 1
    finally:
        guarded.close()


@pytest.mark.parametrize(
    ("named", "words"), [(True, "give AGENT_LEDGER_TOKEN_FILE=.* a token"), (False, "name a file")]
)
def test_a_refusal_says_what_is_wrong_with_the_token(tmp_path: Path, words: str, *, named: bool) -> None:
    (tmp_path / "agent").write_text("nobody's")
    with (
        answering(lambda _: (403, b"this token may not", {})) as (url, _),
        pytest.raises(LedgerDownError, match=words),
    ):
        deliver(url, str(tmp_path / "agent") if named else "", LINES)


def test_a_batch_that_is_too_much_at_once_is_sent_in_parts() -> None:
    def small(body: bytes) -> Answer:
        return (413, b"too large", {}) if body.count(b"\n") > 1 or b":3" in body else (202, TAKEN, {})

    with answering(small) as (url, _):
        delivery = deliver(url, "", LINES)
        assert (delivery.posted, delivery.refused) == (2, ("too large",))


@pytest.mark.parametrize("status", [200, 301, 401, 403, 404, 500, 503])
def test_every_other_answer_means_that_the_ledger_has_nothing(status: int) -> None:
    with (
        answering(lambda _: (status, TAKEN, {"retry-after": "7"})) as (url, _),
        pytest.raises(LedgerDownError, match=f"got {status}") as down,
    ):
        deliver(url, "", LINES)
    assert down.value.retry_seconds == 7


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"rejected":1}', b"<html>"])
def test_an_answer_that_is_none_of_a_ledger_is_not_believed(body: bytes) -> None:
    with answering(lambda _: (202, body, {})) as (url, _), pytest.raises(LedgerDownError):
        deliver(url, "", LINES)


def test_pauses_grow_and_are_never_the_same_for_all() -> None:
    for failures, longest in ((1, 0.5), (2, 1.0), (5, 8.0), (16, 60.0)):
        pauses = {posting._pause(failures, 0.0) for _ in range(50)}
        assert longest / 2 <= min(pauses) <= max(pauses) <= longest
        assert len(pauses) > 10
    assert 5.0 <= posting._pause(1, 10.0) <= 10.0
    assert posting._pause(1, 10_000.0) <= 60.0
