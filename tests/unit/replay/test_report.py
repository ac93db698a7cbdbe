from __future__ import annotations

import json
from typing import Any

import pytest

from agentrollouts.replay.attempt import Lane
from agentrollouts.replay.disagreement import comparisons
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.judge import Limits
from agentrollouts.replay.plan import Plan
from agentrollouts.replay.report import Report, read, written
from agentrollouts.replay.summarise import MOST_SHOWN, summarised
from agentrollouts.replay.words import MOST_SUMMARY, markdown, summary, text
from tests.unit.replay.made import LABEL, attempt, record

URLS = {Lane.CANDIDATE: "http://c", Lane.INCUMBENT: "http://i"}


def report(
    *, candidate: dict[str, Any] | None = None, task: dict[str, Any] | None = None, **asked: Any
) -> Report:
    """Three tasks; the candidate decides otherwise in the first."""
    records = [record(n, **(task or {})) for n in range(3)]
    done = {(each.id, lane): attempt(n, lane) for n, each in enumerate(records) for lane in Lane}
    done[records[0].id, Lane.CANDIDATE] = attempt(0, Lane.CANDIDATE, "lost", **(candidate or {}))
    tasks = comparisons(records, done, LABEL)
    return summarised(
        tasks, Plan(tuple(records), {}), LABEL, Limits(0.05), asked=asked.get("asked", 3), urls=URLS
    )


def test_a_report_is_read_as_it_was_written() -> None:
    found = report(candidate={"latency_seconds": 1.5})
    assert read(written(found)) == found
    assert json.loads(written(found))["schema"] == "agentrollouts.io/replay-report/v1"
    for broken in ("{", "[]", written(found).replace("replay-report/v1", "replay-report/v2"), "{}"):
        with pytest.raises(ReplayError, match="expected a report of agentrollout replay run"):
            read(broken)


def test_a_report_from_before_embeddings_is_shown_as_it_was() -> None:
    found = report()
    old = json.loads(written(found))
    del old["rule"]["embeddingModel"]
    assert read(json.dumps(old)) == found
    assert "embeddings" not in "\n".join((*text(found), *markdown(found)))


def test_the_model_of_the_embeddings_is_told() -> None:
    rule = report().rule.model_copy(update={"embedding_model": "small\x1b-1", "threshold": 0.92})
    found = report().model_copy(update={"rule": rule})
    for lines in (text(found), markdown(found)):
        assert "embeddings of small�-1, alike from 0.92 on" in "\n".join(lines)


def test_each_lane_says_what_it_took() -> None:
    told = {"usage": {"costDollars": 0.5, "llmCalls": 2, "inputTokens": 5}, "calls": [
        {"name": "pay", "arguments": {"n": 1}, "source": "refused"}, {"name": "look", "source": "live"}]}  # fmt: skip
    found = report(candidate={"latency_seconds": 4.0, "told": told, "error": "status 500: x"})
    mine, theirs = found.candidate, found.incumbent
    assert mine.latency_seconds is not None
    assert (mine.latency_seconds.median, mine.latency_seconds.sum) == (0.0, 4.0)
    assert mine.cost_dollars is not None
    assert (mine.cost_dollars.sum, mine.llm_calls, mine.input_tokens) == (0.5, 2, 5)
    assert (mine.errors, mine.answered, theirs.errors, theirs.cost_dollars) == (1, 2, 0, None)
    assert (mine.calls, mine.refused, mine.new) == (
        {"refused": 1, "live": 1},
        {"pay": 1},
        {"look": 1, "pay": 1},
    )
    assert (mine.version, theirs.version, mine.url) == ("2.0.0", "1.0.0", "http://c")


def test_a_changed_task_is_told_side_by_side() -> None:
    found = report(candidate={"told": {"calls": [{"name": "pay", "arguments": {"n": 1}}]}})
    (task,) = found.changed
    assert (task.by, task.recorded.answer, task.candidate.answer, task.incumbent.answer) == (
        "candidate", {"answer": "It is shipped.", "label": "shipped", "version": "1.0.0"}, {"label": "lost"}, {"label": "shipped"},
    )  # fmt: skip
    assert [(each.path, each.before, each.after) for each in task.candidate.differences] == [
        ("", '"shipped"', '"lost"')
    ]
    for lines in (list(text(found)), list(markdown(found))):
        shown = "\n".join(lines)
        for part in ("Where is my order A-1000?", "shipped", "lost", "pay(n=1)", "new pay", "INCONCLUSIVE"):
            assert part in shown


def test_answers_of_several_versions_are_no_lane() -> None:
    with pytest.raises(
        ReplayError, match=r"answers of the candidate came from several versions \(2.0.0, 2.0.1\)"
    ):
        report(candidate={"told": {"version": "2.0.1"}})
    assert report(candidate={"told": {"version": ""}, "error": "no answer"}).candidate.version == "2.0.0"


def test_text_of_others_moves_no_cursor_and_marks_nothing_up() -> None:
    nasty = "\x1b[2J<script>|`*\n# hi"
    found = report(candidate={"answer": {"label": nasty}}, task={"input": {"text": nasty}})
    shown = "\n".join(text(found))
    assert "\x1b" not in shown
    marked = "\n".join(markdown(found))
    assert "<script>" not in marked
    assert "\n# hi" not in marked
    assert all(line.count(" | ") == 2 for line in marked.splitlines() if line.startswith("| candidate"))


def test_a_huge_answer_is_told_by_its_size() -> None:
    found = report(candidate={"answer": {"label": "x" * 2 * MOST_SHOWN}})
    (task,) = found.changed
    answer = task.candidate.answer
    assert isinstance(answer, dict)
    assert answer["truncated"] is True
    assert len(written(found)) < 10 * MOST_SHOWN


def test_the_summary_fits_into_a_termination_message() -> None:
    found = report()
    parts = json.loads(summary(found))
    assert (parts["verdict"], parts["numbers"]["tasks"], parts["numbers"]["onlyCandidate"]) == (
        "INCONCLUSIVE",
        3,
        1,
    )
    assert parts["message"] == found.message
    for filler in ('"', "\\", "x", "x\x00", "xä"):
        long = summary(found.model_copy(update={"message": filler * 20_000}))
        assert len(long) <= MOST_SUMMARY
        assert json.loads(long)["message"]


def test_what_limits_a_report_is_said() -> None:
    shown = "\n".join(text(report(asked=200, task={"version": "0.9.0"})))
    assert "3 tasks instead of 200" in shown
    assert "3 of 3 tasks were recorded by other versions" in shown
