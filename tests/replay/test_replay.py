"""Whole replays over real agent processes, by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentrollouts.replay.journal import kept
from agentrollouts.replay.report import Report, read
from tests.fakes.embeddings import by_table, texts_of
from tests.fakes.llm import serving
from tests.ledger.process import LedgerProcess
from tests.replay.lanes import Start, document, written

DEADLINE_SECONDS = 300.0
CHANCE = "tests.replay.chance_app:app"


class Replay:
    """`agentrollout replay run` as a process."""

    def __init__(
        self,
        folder: Path,
        port: int,
        candidate: str,
        incumbent: str,
        *,
        source: str = "tasks.jsonl",
        more: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        command = [
            "replay", "run", "--from", source, "--candidate", candidate, "--incumbent", incumbent, "-o", "r.json",
            "--listen", f"127.0.0.1:{port}", "--answer", "label", "--summary", "summary.json", *more,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agentrollouts.cli.app", *command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=500)
        return self.process.returncode, out, err

    @property
    def report(self) -> Report:
        return read((self.folder / "r.json").read_text())


def chance_documents(count: int, *, refused: int = 0) -> list[dict[str, Any]]:
    """Tasks of the agent that decides by chance; of so many the record says `refused`."""
    return [
        document(
            n,
            input={"text": f"order {n}"},
            output={"label": "refused" if n < refused else "paid", "version": "1.0.0"},
            toolCalls=[{"name": "pay", "arguments": {"order": f"order {n}"}, "result": f"paid order {n}"}],
        )
        for n in range(count)
    ]


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerProcess]:
    process = LedgerProcess(tmp_path)
    process.start()
    yield process
    process.close()


QUESTIONS = (
    "Where is my order {}?",
    "I want my money back for {}.",
    "How may I pay for {}?",
    "I want a person, about {}.",
)


def test_a_worse_version_of_the_sample_agent_is_found_without_a_single_refund(
    start: Start, ledger: LedgerProcess, tmp_path: Path, port: int
) -> None:
    """From the ledger's records of what the agent did for users; the refunds of then are the only ones there are."""
    then, now = tmp_path / "payments-then", tmp_path / "payments-now"
    common = {"SUPPORT_WRONG_PERCENT": "0", "AGENT_VERSION": "1.0.0"}
    user = start(
        AGENT_REPLAY="0",
        AGENT_REPLAY_URL="",
        AGENT_LEDGER_URL=ledger.url,
        SUPPORT_PAYMENTS_FILE=str(then),
        **common,
    )
    # A replay is no task of the ledger, even where the process could reach it.
    lanes = {"SUPPORT_PAYMENTS_FILE": str(now), "AGENT_LEDGER_URL": ledger.url, **common}
    incumbent = start(**lanes)
    candidate = start(**lanes | {"AGENT_VERSION": "2.1.0", "SUPPORT_WRONG_PERCENT": "60"})
    for agent in (user, incumbent, candidate):
        agent.wait()
    for n in range(80):
        text = QUESTIONS[n % 4].format(f"A-{1000 + n}")
        httpx.post(user.url, json={"text": text}, timeout=60).raise_for_status()
    until(lambda: len(ledger.tasks()) == 80, "the ledger doesn't get the tasks")
    refunds = then.read_text()
    assert refunds

    replay = Replay(
        tmp_path,
        port,
        candidate.url,
        incumbent.url,
        source="ledger",
        more=("--ledger", ledger.url, "--agent", "support", "--namespace", "shop"),
    )
    status, out, err = replay.end()
    assert status == 1, (out, err)
    report = replay.report
    found = report.disagreement
    assert (report.verdict, report.tasks.done, found.only_incumbent, found.both) == ("FAIL", 80, 0, 0)
    assert (report.candidate.version, report.incumbent.version) == ("2.1.0", "1.0.0")
    assert report.incumbent.calls.keys() == {"recorded", "told"}, (
        "the incumbent asks nothing but what is on record"
    )
    assert found.only_candidate > 30
    assert {task.by for task in report.changed} == {"candidate"}
    assert report.candidate.refused["refund_order"] > 0, (
        "the candidate would have refunded what was never refunded"
    )
    assert report.candidate.vanished["refund_order"] > 0
    assert report.incumbent.cost_dollars is not None
    assert json.loads((tmp_path / "summary.json").read_text())["verdict"] == "FAIL"

    assert not now.exists(), "a refund was paid for real"
    assert then.read_text() == refunds
    for lane in (incumbent, candidate):
        # Whatever waits to be posted is posted by the time the process ends.
        lane.stop()
    assert len(ledger.tasks()) == 80, "a replay is no task of the ledger"


def test_the_chance_in_an_agent_is_no_change_of_it(start: Start, tmp_path: Path, port: int) -> None:
    """Both lanes decide by chance otherwise than the record, each of them in more tasks than would be allowed."""
    payments = tmp_path / "payments"
    lanes = [start(CHANCE, REFUSE_PERCENT="15", CHANCE_SEED=seed, PAYMENTS=str(payments), AGENT_VERSION=version)
             for seed, version in (("new", "2.0.0"), ("old", "1.0.0"))]  # fmt: skip
    for lane in lanes:
        lane.wait()
    written(tmp_path / "tasks.jsonl", chance_documents(400, refused=60))
    replay = Replay(
        tmp_path, port, lanes[0].url, lanes[1].url, more=("--tasks", "400", "--max-disagreement", "15%")
    )
    status, out, err = replay.end()
    assert status == 0, (out, err)
    found = replay.report.disagreement
    assert found.candidate is not None
    assert found.incumbent is not None
    assert min(found.candidate.low, found.incumbent.low) > 0.15, "by itself each lane is beyond the limit"
    assert "PASS" in out
    assert not payments.exists()


def test_a_replay_that_is_killed_goes_on_and_asks_nothing_twice(
    start: Start, tmp_path: Path, port: int
) -> None:
    hangs, asked = tmp_path / "hangs", tmp_path / "asked"
    hangs.touch()
    candidate = start(CHANCE, HANG_AFTER="11", HANGS=str(hangs), ASKED=str(asked), AGENT_VERSION="2.0.0")
    incumbent = start(CHANCE, ASKED=str(tmp_path / "asked-incumbent"), AGENT_VERSION="1.0.0")
    for lane in (candidate, incumbent):
        lane.wait()
    documents = chance_documents(40)
    written(tmp_path / "tasks.jsonl", documents)

    replay = Replay(
        tmp_path, port, candidate.url, incumbent.url, more=("--tasks", "40", "--concurrency", "3")
    )
    # All three that may be in flight hang.
    until(lambda: asked.exists() and len(asked.read_text().splitlines()) == 14, "the candidate never hangs")
    replay.process.send_signal(signal.SIGKILL)
    replay.end()
    assert not (tmp_path / "r.json").exists()
    before = kept(tmp_path / "r.json.journal")
    assert sum(lane == "candidate" for _, lane in before.done) == 11

    hangs.unlink()
    # The records may be gone by then: what was chosen is in the journal.
    written(tmp_path / "tasks.jsonl", [])
    again = Replay(tmp_path, port, candidate.url, incumbent.url, more=("--tasks", "40"))
    status, out, err = again.end()
    assert status == 3, (out, err)
    assert again.report.tasks.done == 40
    texts = {document["id"]: document["input"]["text"] for document in documents}
    for lane, log in (("candidate", asked), ("incumbent", tmp_path / "asked-incumbent")):
        lines = log.read_text().splitlines()
        assert set(lines) == set(texts.values())
        finished = {texts[task] for task, done in before.done if done == lane}
        assert all(lines.count(text) == 1 for text in finished), "a finished task was asked again"
    assert again.process.returncode == 3


def test_an_agent_that_isnt_in_replay_mode_is_never_asked(start: Start, tmp_path: Path, port: int) -> None:
    """It would do for real what it is asked."""
    payments, asked = tmp_path / "payments", tmp_path / "asked"
    real = start(CHANCE, AGENT_REPLAY="0", AGENT_REPLAY_URL="", PAYMENTS=str(payments), ASKED=str(asked))
    incumbent = start(CHANCE)
    for lane in (real, incumbent):
        lane.wait()
    written(tmp_path / "tasks.jsonl", chance_documents(5))
    status, _, err = Replay(tmp_path, port, real.url, incumbent.url).end()
    assert (status, "doesn't say that it is in replay mode" in err, "AGENT_REPLAY=1" in err) == (
        2,
        True,
        True,
    )
    assert not asked.exists()
    assert not payments.exists()
    assert not (tmp_path / "r.json").exists()


def test_answers_of_the_same_meaning_are_no_change_and_each_is_asked_for_once(
    start: Start, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record says `settled`; the incumbent says `paid`, which is alike, the candidate `refused`, which isn't."""
    asked, key = tmp_path / "asked", tmp_path / "key"
    key.write_text("key-of-the-user\n")
    monkeypatch.setenv("AGENT_ROLLOUTS_EMBEDDING_KEY_FILE", str(key))
    candidate = start(CHANCE, REFUSE_PERCENT="100", ASKED=str(asked), AGENT_VERSION="2.0.0")
    incumbent = start(CHANCE, REFUSE_PERCENT="0", ASKED=str(asked), AGENT_VERSION="1.0.0")
    for lane in (candidate, incumbent):
        lane.wait()
    settled = {"output": {"label": "settled", "version": "1.0.0"}}
    written(tmp_path / "tasks.jsonl", [task | settled for task in chance_documents(30)])
    with serving() as model:
        model.body = by_table({"settled": (1, 0), "paid": (0.99, 0.14), "refused": (0, 1)})

        def replayed(*more: str) -> tuple[int, str, str]:
            options = ("--tasks", "30", "--max-disagreement", "15%", "--compare", "embedding")
            where = ("--embedding-url", model.url, "--embedding-model", "small-embedding")
            replay = Replay(tmp_path, port, candidate.url, incumbent.url, more=(*options, *where, *more))
            return replay.end()

        model.statuses = [401]
        status, out, err = replayed()
        assert (status, "--embedding-key-file" in err, "key-of-the-user" in out + err) == (2, True, False), (
            err
        )
        assert len(kept(tmp_path / "r.json.journal").done) == 60
        assert not (tmp_path / "r.json").exists()

        status, out, err = replayed()
        assert status == 1, (out, err)
        report = read((tmp_path / "r.json").read_text())
        rule, found = report.rule, report.disagreement
        assert (rule.compare, rule.embedding_model, rule.threshold) == ("embedding", "small-embedding", 0.9)
        assert (found.only_candidate, found.only_incumbent, found.both) == (30, 0, 0)
        side = report.changed[0].candidate, report.changed[0].incumbent
        assert [each.similarity for each in side] == pytest.approx([0, 0.99], abs=0.001)
        assert "embeddings of small-embedding" in out
        assert "key-of-the-user" not in out + err

        refused_one, answered = model.asked
        assert sorted(answered[2]["input"]) == ["paid", "refused", "settled"]
        assert answered[1]["authorization"] == "Bearer key-of-the-user"
        assert len(texts_of(model)) == 2 * len(refused_one[2]["input"])

        status, out, err = replayed("--threshold", "0")
        assert status == 0, (out, err)
        assert len(model.asked) == 2, "what is kept was asked for again"
    assert len(asked.read_text().splitlines()) == 60, "a finished task was done again"
