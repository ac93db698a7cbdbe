from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path

import pytest

from agentrollouts.replay.attempt import Lane
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.journal import Journal
from agentrollouts.replay.plan import Plan, chosen, steps
from agentrollouts.replay.recordings import recording
from agentrollouts.replay.records import Records, drawn, drawn_with_patience
from agentrollouts.replay.source import from_file
from tests.replay.lanes import document, written
from tests.unit.replay.made import attempt, record

ABOUT = {"candidate": "http://c", "incumbent": "http://i", "seed": "s"}
CUT = {"truncated": True, "bytes": 300_000}


def test_a_larger_sample_has_the_smaller_one_in_it_whatever_order_the_records_come_in() -> None:
    records = [record(number) for number in range(40)]
    few, more = chosen(records, 10, seed="s"), chosen(records[::-1], 20, seed="s")
    assert more.tasks[:10] == few.tasks
    assert list(few.tasks) != records[:10]
    assert {task.id for task in chosen(records, 10, seed="t").tasks} != {task.id for task in few.tasks}


def test_what_was_chosen_before_stays_chosen_whatever_came_since() -> None:
    before = chosen([record(number) for number in range(10)], 5, seed="s").tasks
    later = chosen([record(number) for number in range(100)], 20, seed="s", before=before)
    assert later.tasks[:5] == before
    assert len({task.id for task in later.tasks}) == 20


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"shadow": True}, "shadow"), ({"input": None}, "no input"), ({"output": None}, "no answer"),
     ({"input": CUT}, "cut"), ({"output": CUT}, "cut")],
)  # fmt: skip
def test_what_cant_be_done_again_is_left_out_and_counted(fields: dict[str, object], reason: str) -> None:
    plan = chosen([record(1, **fields), record(2), record(2)], 10, seed="s")
    assert ([task.id for task in plan.tasks], plan.left_out) == ([record(2).id], {reason: 1})


def test_each_task_is_done_once_in_each_lane_and_the_lanes_take_turns() -> None:
    plan = chosen([record(number) for number in range(4)], 4, seed="s")
    todo = [(task.id, lane) for task, lane in steps(plan, [])]
    assert len(set(todo)) == len(todo) == 8
    assert [lane for _, lane in todo[:4]] == [Lane.INCUMBENT, Lane.CANDIDATE, Lane.CANDIDATE, Lane.INCUMBENT]
    assert [(task.id, lane) for task, lane in steps(plan, todo[:3])] == todo[3:]


def test_a_journal_holds_what_was_chosen_and_done(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    with Journal(path, ABOUT) as journal:
        journal.choose(Plan((record(1), record(2)), {"shadow": 4}), 2)
        journal.choose(Plan((record(1), record(3)), {"shadow": 1, "cut": 2}), 3)
        journal.finish(attempt(1, Lane.CANDIDATE, told={"calls": [{"name": "look", "source": "recorded"}]}))
    with Journal(path, ABOUT) as again:
        assert again.kept.tasks == [record(1), record(2), record(3)]
        assert list(again.kept.done) == [(record(1).id, Lane.CANDIDATE)]
        assert again.kept.done == journal.kept.done
        assert again.kept.left_out == {"shadow": 1, "cut": 2}, "as it was counted last"
    assert path.stat().st_mode & 0o077 == 0, "what users asked is nobody else's business"


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_torn_by_a_kill_is_done_again_and_tears_no_other(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r.journal"
    with Journal(path, ABOUT) as journal:
        journal.choose(Plan((record(1), record(2)), {}), 2)
        journal.finish(attempt(1, Lane.CANDIDATE))
        journal.finish(attempt(1, Lane.INCUMBENT))
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, ABOUT) as again:
        assert list(again.kept.done)[:1] == [(record(1).id, Lane.CANDIDATE)]
        again.finish(attempt(2, Lane.CANDIDATE))
    with Journal(path, ABOUT) as last:
        assert (record(2).id, Lane.CANDIDATE) in last.kept.done


def test_a_choice_that_was_torn_is_made_to_its_end_and_counted_as_a_whole(tmp_path: Path) -> None:
    path, source = tmp_path / "r.journal", tmp_path / "tasks.jsonl"
    written(source, [document(n, shadow=n > 5) for n in range(8)])
    records = Records(str(source), "", "", "", "", "", "")
    with Journal(path, ABOUT) as journal:
        whole = drawn(journal, records, 6, seed="s")
    lines = path.read_bytes().splitlines(keepends=True)
    for torn in range(2, len(lines)):
        path.write_bytes(b"".join(lines[:torn])[:-5])
        with Journal(path, ABOUT) as journal:
            assert drawn(journal, records, 6, seed="s") == whole
    source.unlink()
    with Journal(path, ABOUT) as journal:
        assert drawn(journal, records, 6, seed="s") == whole, "what is chosen needs no records"


def test_a_jobs_next_pod_has_the_tasks_of_the_first_one_though_more_were_recorded_since(
    tmp_path: Path,
) -> None:
    path, source = tmp_path / "r.journal", tmp_path / "tasks.jsonl"
    records = Records(str(source), "", "", "", "", "", "")

    def pod(count: int) -> Plan:
        with Journal(path, ABOUT) as journal:
            return asyncio.run(
                drawn_with_patience(journal, records, count, seed="s", tell=pytest.fail, sleep=asyncio.sleep)
            )

    written(source, [document(n, shadow=n == 3) for n in range(4)])
    first = pod(6)
    assert (len(first.tasks), first.left_out) == (3, {"shadow": 1})
    written(source, [document(n, shadow=n == 3) for n in range(9)])
    assert pod(6) == first
    path.write_bytes(path.read_bytes().rpartition(b'{"chosen"')[0])
    assert len(pod(6).tasks) == 6, "a choice that was torn is made anew"
    assert pod(7).tasks[:6] == pod(6).tasks


@pytest.mark.parametrize("cut", [1, 20, 60, 90])
@pytest.mark.parametrize("tail", [b"", b"\0" * 30])
def test_a_journal_that_was_torn_in_its_first_line_is_begun_again(
    tmp_path: Path, cut: int, tail: bytes
) -> None:
    """As a machine that went down may leave it."""
    path = tmp_path / "r.journal"
    Journal(path, ABOUT).__exit__(None, None, None)
    path.write_bytes(path.read_bytes()[:-cut] + tail)
    with Journal(path, ABOUT) as journal:
        journal.choose(Plan((record(1),), {}), 1)
    with Journal(path, ABOUT) as again:
        assert again.kept.tasks == [record(1)]


def test_a_disk_that_is_full_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Journal(tmp_path / "r.journal", ABOUT) as journal:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ReplayError, match=r"can't write the journal .*: No space left"):
            journal.finish(attempt(1, Lane.CANDIDATE))


def test_a_journal_of_another_replay_or_of_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.journal"
    Journal(path, ABOUT).__exit__(None, None, None)
    with pytest.raises(
        ReplayError, match=r"journal of another replay, candidate http://c.*this one is candidate http://x"
    ):
        Journal(path, ABOUT | {"candidate": "http://x"})
    path.write_text("a shopping list\n")
    with pytest.raises(ReplayError, match="it is something else"):
        Journal(path, ABOUT)
    assert path.read_text() == "a shopping list\n"
    with pytest.raises(ReplayError, match="can't write the journal"):
        Journal(tmp_path / "no" / "r.journal", ABOUT)


def test_records_come_from_a_file_and_a_broken_line_is_named(tmp_path: Path) -> None:
    text = document(1, input={"text": "a\u2028b"})
    path = written(tmp_path / "tasks.jsonl", [text, document(2)])
    path.write_text(json.dumps(text, ensure_ascii=False) + "\n\n" + json.dumps(document(2)) + "\n")
    assert list(from_file(path)) == [record(1, input={"text": "a\u2028b"}), record(2)]
    path.write_text(json.dumps(document(1)) + "\n" + json.dumps(document(2, outcome="meh")) + "\n")
    with pytest.raises(ReplayError, match=r"line 2: expected a task record; outcome"):
        list(from_file(path))
    path.write_text("{")
    with pytest.raises(ReplayError, match=r"line 1: expected a task record as JSON"):
        list(from_file(path))


def test_a_call_whose_result_or_arguments_are_not_on_record_answers_nothing() -> None:
    calls = [
        {"name": "known", "arguments": {"a": 1}, "result": None}, {"name": "told"},
        {"name": "cut", "arguments": {}, "result": CUT}, {"name": "cut", "arguments": CUT, "result": 1},
        {"name": "failed", "arguments": {}, "error": "no"},
    ]  # fmt: skip
    found = json.loads(recording(record(1, toolCalls=calls)))
    assert [call["name"] for call in found["calls"]] == ["known", "failed"]
