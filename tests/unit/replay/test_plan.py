from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentrollouts.replay.attempt import Lane
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.journal import Journal
from agentrollouts.replay.plan import chosen, steps
from agentrollouts.replay.recordings import recording
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
        journal.choose([record(1), record(2)])
        journal.choose([record(1), record(3)])
        journal.finish(attempt(1, Lane.CANDIDATE, told={"calls": [{"name": "look", "source": "recorded"}]}))
    with Journal(path, ABOUT) as again:
        assert again.kept.tasks == [record(1), record(2), record(3)]
        assert list(again.kept.done) == [(record(1).id, Lane.CANDIDATE)]
        assert again.kept.done == journal.kept.done
    assert path.stat().st_mode & 0o077 == 0, "what users asked is nobody else's business"


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_line_torn_by_a_kill_is_done_again_and_tears_no_other(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r.journal"
    with Journal(path, ABOUT) as journal:
        journal.choose([record(1), record(2)])
        journal.finish(attempt(1, Lane.CANDIDATE))
        journal.finish(attempt(1, Lane.INCUMBENT))
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, ABOUT) as again:
        assert list(again.kept.done)[:1] == [(record(1).id, Lane.CANDIDATE)]
        again.finish(attempt(2, Lane.CANDIDATE))
    with Journal(path, ABOUT) as last:
        assert (record(2).id, Lane.CANDIDATE) in last.kept.done


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
