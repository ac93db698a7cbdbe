"""A replay before traffic whose pod is lost: the Job's next one, with the same words, goes on where the first one was."""

from __future__ import annotations

import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.core.replay_job import KEPT_JOURNAL
from agentrollouts.replay.journal import Kept, kept
from tests.fakes.embeddings import by_table
from tests.fakes.llm import serving
from tests.replay.lanes import AgentProcess, Start, free_port, written
from tests.replay.step import Step
from tests.replay.test_replay import CHANCE, chance_documents, until

CLAIM = {"journal": {"claim": "replays"}}


def _report(out: bytes) -> Any:
    """The report in a log, but for how long everything took."""

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: timeless(item) for name, item in value.items() if name != "latencySeconds"}
        return [timeless(item) for item in value] if isinstance(value, list) else value

    return timeless(json.loads(out)["report"])


def _twice(before: Kept, log: Path, lane: str) -> list[str]:
    """Tasks that were finished before, and were asked again."""
    texts = {record.id: dict(record.input)["text"] for record in before.tasks}  # type: ignore[arg-type]
    lines = log.read_text().splitlines()
    assert set(lines) == set(texts.values())
    return [task for task, done in before.done if done == lane and lines.count(texts[task]) != 1]


def _lines(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_pod_goes_on_and_says_what_one_alone_would_have_said(
    start: Start, tmp_path: Path, port: int, kind: signal.Signals
) -> None:
    hangs, mine, theirs = tmp_path / "hangs", tmp_path / "mine", tmp_path / "theirs"
    hangs.touch()
    candidate = start(CHANCE, HANG_AFTER="11", HANGS=str(hangs), ASKED=str(mine), AGENT_VERSION="2.0.0")
    incumbent = start(CHANCE, REFUSE_PERCENT="100", ASKED=str(theirs), AGENT_VERSION="1.0.0")
    shadows = [
        document | {"id": f"{n:032x}", "shadow": True} for n, document in enumerate(chance_documents(5), 90)
    ]
    written(tmp_path / "tasks.jsonl", [*chance_documents(40, refused=30), *shadows])
    step = Step(tmp_path, port, (candidate, incumbent), concurrency=3, tools="Effects", **CLAIM)

    lost = step.start()
    until(lambda: _lines(mine) == 14, "the candidate never hangs with all that may be in flight")
    lost.send_signal(kind)
    lost.communicate(timeout=300)
    before = kept(step.journal)
    assert sum(lane == "candidate" for _, lane in before.done) == 11

    hangs.unlink()
    # The records may be gone by then: what was chosen is in the journal.
    written(tmp_path / "tasks.jsonl", [])
    process = step.start()
    status, said, out = step.ended(process)
    assert (status, said.verdict, said.cases) == (1, "FAIL", 40), said
    assert _twice(before, mine, "candidate") == _twice(before, theirs, "incumbent") == []
    assert not list(tmp_path.glob(f"*{KEPT_JOURNAL}*")), "what users asked stays no longer than it is of use"

    (tmp_path / "alone").mkdir()
    written(tmp_path / "alone" / "tasks.jsonl", [*chance_documents(40, refused=30), *shadows])
    alone = Step(tmp_path / "alone", port, (candidate, incumbent), tools="Effects").run()
    assert (alone[0], _report(alone[2])) == (status, _report(out))
    assert _report(out)["tasks"]["leftOut"] == {"shadow": 5}
    assert alone[1] == said, "the statement's digest is the same, too"


def test_two_replays_in_one_claim_dont_see_each_other(start: Start, tmp_path: Path, port: int) -> None:
    lanes = start(CHANCE, AGENT_VERSION="2.0.0"), start(CHANCE, AGENT_VERSION="1.0.0")
    written(tmp_path / "tasks.jsonl", chance_documents(3))
    other = tmp_path / f"support-other-0123456789{KEPT_JOURNAL}"
    other.write_text("of another Job\n")
    status, said, _ = Step(tmp_path, port, lanes, **CLAIM).run()
    assert (status, said.verdict, said.cases) == (2, "INVALID", 3)
    assert other.read_text() == "of another Job\n"


def test_something_else_in_the_place_of_a_journal_is_told_and_left_alone(
    start: Start, tmp_path: Path, port: int
) -> None:
    lanes = start(CHANCE), start(CHANCE)
    written(tmp_path / "tasks.jsonl", chance_documents(3))
    step = Step(tmp_path, port, lanes, **CLAIM)
    step.journal.write_text("a shopping list\n")
    status, said, _ = step.run()
    assert (status, said.verdict, "it is something else" in said.message) == (2, "INVALID", True)
    assert step.journal.read_text() == "a shopping list\n"


@contextmanager
def _old_name(port: int, *, leads_nowhere: frozenset[int]) -> Iterator[tuple[int, list[int]]]:
    """A name that leads to the replay at ``port``, but for these requests for a record; its own port, and those it got."""
    asked: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(len(asked))
            if asked[-1] in leads_nowhere:
                self._answer(503, b"{}")
            else:
                self._forward(None)

        def do_POST(self) -> None:
            self._forward(self.rfile.read(int(self.headers["content-length"])))

        def _forward(self, body: bytes | None) -> None:
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}{self.path}", body, timeout=60
                ) as answer:
                    self._answer(answer.status, answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    self._answer(error.code, error.read())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_lane_that_still_has_the_old_pods_address_is_waited_for(start: Start, tmp_path: Path) -> None:
    """Until it finds its way it is asked nothing; where it gets lost later on, that is no answer."""
    port, asked = free_port(), tmp_path / "asked"
    written(tmp_path / "tasks.jsonl", chance_documents(10))
    with _old_name(port, leads_nowhere=frozenset({0, 1, 6})) as (old, requests):
        replayer = f"http://127.0.0.1:{old}"
        lanes = (
            start(CHANCE, AGENT_REPLAY_URL=replayer, ASKED=str(asked), AGENT_VERSION="2.0.0"),
            start(CHANCE, AGENT_REPLAY_URL=replayer, ASKED=str(asked), AGENT_VERSION="1.0.0"),
        )
        status, said, _ = Step(tmp_path, port, lanes, tools="Effects", concurrency=1).run()
    assert (status, said.cases, said.errors, said.changed) == (2, 10, 0, 0), said
    assert "tasks would tell" in said.message
    # Each lane's first that was answered, the two before, one that got lost, and one for each task.
    assert len(requests) == 2 + 2 + 1 + 20
    assert _lines(asked) == 20, "what got lost was done all the same"


def _chance(start: Start, asked: Path) -> tuple[AgentProcess, AgentProcess]:
    return (
        start(CHANCE, REFUSE_PERCENT="100", ASKED=str(asked), AGENT_VERSION="2.0.0"),
        start(CHANCE, REFUSE_PERCENT="0", ASKED=str(asked), AGENT_VERSION="1.0.0"),
    )


def test_answers_are_compared_by_their_meaning_and_a_pod_that_is_lost_meanwhile_asks_no_lane_again(
    start: Start, tmp_path: Path, port: int
) -> None:
    """The record says `settled`; the incumbent says `paid`, which is alike, the candidate `refused`, which isn't."""
    asked = tmp_path / "asked"
    (tmp_path / "key").write_text("key-of-the-user\n")
    settled = {"output": {"label": "settled", "version": "1.0.0"}}
    written(tmp_path / "tasks.jsonl", [task | settled for task in chance_documents(30)])
    with serving() as model:
        model.body = by_table({"settled": (1, 0), "paid": (0.99, 0.14), "refused": (0, 1)})
        model.hangs = True
        embedding = {"url": model.url, "model": "small-embedding", "secret": "embeddings", "key": "key"}
        step = Step(
            tmp_path, port, _chance(start, asked), tasks=30, compare="Embedding", embedding=embedding, **CLAIM
        )
        lost = step.start()
        until(lambda: bool(model.asked), "the endpoint is never asked")
        lost.kill()
        out, err = lost.communicate(timeout=300)
        assert b"key-of-the-user" not in out + err

        model.hangs = False
        status, said, out = step.run()
        assert (status, said.verdict, said.changed) == (1, "FAIL", 30), said
        assert _lines(asked) == 60, "a finished task was done again"
        rule = json.loads(out)["report"]["rule"]
        assert (rule["compare"], rule["embeddingModel"], rule["threshold"]) == (
            "embedding",
            "small-embedding",
            0.9,
        )
        assert sorted(model.asked[-1][2]["input"]) == ["paid", "refused", "settled"], (
            "texts of answers, no others"
        )
        assert model.asked[-1][1]["authorization"] == "Bearer key-of-the-user"
    assert not list(tmp_path.glob(f"*{KEPT_JOURNAL}*"))


def test_a_threshold_that_is_written_holds_for_embeddings_too(
    start: Start, tmp_path: Path, port: int
) -> None:
    settled = {"output": {"label": "settled", "version": "1.0.0"}}
    written(tmp_path / "tasks.jsonl", [task | settled for task in chance_documents(100)])
    with serving() as model:
        model.body = by_table({"settled": (1, 0), "paid": (0.99, 0.14), "refused": (0, 1)})
        embedding = {"url": model.url, "model": "small-embedding"}
        status, said, _ = Step(
            tmp_path, port, _chance(start, tmp_path / "asked"), tasks=100, compare="Embedding", threshold="0%",
            embedding=embedding,
        ).run()  # fmt: skip
        assert (status, said.verdict) == (0, "PASS"), said
