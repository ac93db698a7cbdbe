"""The state file: what a new process makes of a killed one's, and processes of one pod beside one another."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentrollouts_kit import Identity, Reporter, Task, task
from agentrollouts_kit.cells import Cells
from tests.kit.reading import Reading

Make = Callable[..., Reporter]
Enter = Callable[..., None]


def kill(reporter: Reporter) -> None:
    """What SIGKILL leaves of a reporter: its file, unlocked, and nothing else."""
    reporter.close()


def test_counts_go_on_where_they_were(make_reporter: Make, tmp_path: Path) -> None:
    for total in (1, 2, 3):
        reporter = make_reporter(state_dir=str(tmp_path))
        with task(reporter=reporter) as t:
            t.add_cost(0.25)
        assert Reading.of(reporter)("agent_tasks_total") == total
        assert Reading.of(reporter)("agent_task_cost_usd_total") == total / 4
        kill(reporter)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_task_that_died_is_one_failure_and_its_session_goes_on(
    make_reporter: Make, tmp_path: Path, clock: Any, in_request: Enter
) -> None:
    in_request("candidate", "ann")
    first = make_reporter(state_dir=str(tmp_path))
    with task(reporter=first):
        pass
    for _ in range(2):
        Task(first).begin()
    kill(first)
    clock.now += 60
    second = make_reporter(state_dir=str(tmp_path))
    assert Reading.of(second)("agent_tasks_total", outcome="failure", cohort="candidate") == 2
    with task(reporter=second) as t:
        t.end_session()
    kill(second)
    reading = Reading.of(make_reporter(state_dir=str(tmp_path)))
    assert reading("agent_tasks_total", outcome="failure") == 2
    assert reading("agent_tasks_total", outcome="success") == 2
    assert reading("agent_sessions_assigned_total") == 1
    assert reading("agent_sessions_closed_total", reason="explicit") == 1
    assert reading("agent_session_success_fraction_total") == 0.5
    assert reading("agent_session_latency_fraction_total", le="120.0") == 0.5
    assert reading("agent_task_duration_seconds_count") == 4
    assert reading("agent_task_duration_seconds_bucket", le="120.0") == 2


def test_a_task_without_a_session_that_died_is_a_closed_session(make_reporter: Make, tmp_path: Path) -> None:
    first = make_reporter(state_dir=str(tmp_path))
    Task(first).begin()
    kill(first)
    reading = Reading.of(make_reporter(state_dir=str(tmp_path)))
    assert reading("agent_tasks_total", outcome="failure") == 1
    assert reading("agent_sessions_closed_total") == 1
    assert reading("agent_session_success_fraction_total") == 0


def test_a_session_that_was_closing_when_the_process_died_is_closed(
    make_reporter: Make, tmp_path: Path, in_request: Enter
) -> None:
    in_request()
    first = make_reporter(state_dir=str(tmp_path))
    Task(first).begin()
    first.close_session()
    kill(first)
    reading = Reading.of(make_reporter(state_dir=str(tmp_path)))
    assert reading("agent_sessions_closed_total", reason="explicit") == 1


@pytest.mark.parametrize(("passed", "reason"), [(1799, None), (1800, "idle")])
def test_the_idle_time_runs_on_while_no_process_lives(
    make_reporter: Make, tmp_path: Path, clock: Any, in_request: Enter, *, passed: float, reason: str | None
) -> None:
    in_request()
    first = make_reporter(state_dir=str(tmp_path))
    with task(reporter=first):
        pass
    kill(first)
    clock.now += passed
    reading = Reading.of(make_reporter(state_dir=str(tmp_path)))
    assert reading("agent_sessions_closed_total") == (1 if reason else 0)
    if reason:
        assert reading("agent_sessions_closed_total", reason=reason) == 1


def test_a_clock_that_began_anew_starts_the_sessions_anew(
    make_reporter: Make, tmp_path: Path, clock: Any, in_request: Enter
) -> None:
    in_request()
    first = make_reporter(state_dir=str(tmp_path))
    with task(reporter=first):
        pass
    kill(first)
    clock.now = 5.0
    second = make_reporter(state_dir=str(tmp_path))
    assert Reading.of(second)("agent_sessions_closed_total") == 0
    clock.now += 1800
    assert Reading.of(second)("agent_sessions_closed_total", reason="idle") == 1


@pytest.mark.parametrize(
    "change", [{"tools": ("new",)}, {"scores": ("new",)}, {"identity": Identity(version="2.0.0")}]
)
def test_the_file_of_another_version_or_list_is_set_aside(
    make_reporter: Make, tmp_path: Path, change: dict[str, Any]
) -> None:
    first = make_reporter(state_dir=str(tmp_path))
    with task(reporter=first):
        pass
    kill(first)
    second = make_reporter(state_dir=str(tmp_path), **change)
    with task(reporter=second):
        pass
    assert Reading.of(second)("agent_tasks_total") == 1
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "outcomes-0.state",
        "outcomes-0.state.superseded",
    ]


def test_the_file_of_a_kit_with_another_layout_is_set_aside(make_reporter: Make, tmp_path: Path) -> None:
    first = make_reporter(state_dir=str(tmp_path))
    with task(reporter=first):
        pass
    kill(first)
    path = tmp_path / "outcomes-0.state"
    path.write_bytes(path.read_bytes().replace(b'"format": 3', b'"format": 1'))
    assert Reading.of(make_reporter(state_dir=str(tmp_path)))("agent_tasks_total") == 0
    assert (tmp_path / "outcomes-0.state.superseded").exists()


def test_events_and_scores_of_an_open_session_outlive_the_process(
    make_reporter: Make, tmp_path: Path, in_request: Enter
) -> None:
    in_request("candidate", "ann")
    first = make_reporter(state_dir=str(tmp_path))
    with task(reporter=first) as t:
        t.intervention()
        t.score("toxicity", 0.25)
        t.llm_call(calls=25)
    lost = Task(first)
    lost.begin()
    lost.intervention()
    lost.score("toxicity", 1.0)
    assert first.feedback("ann", "takeover")
    kill(first)
    second = make_reporter(state_dir=str(tmp_path))
    assert second.feedback("ann", "takeover"), "of the task that died"
    second.close_session()
    reading = Reading.of(second)
    assert reading("agent_session_event_fraction_total", event="intervention") == 0.5
    assert reading("agent_session_event_fraction_total", event="takeover") == 1.0
    assert reading("agent_session_llm_calls_fraction_total") == 0.25
    assert reading("agent_session_scores_total", score="toxicity") == 1
    assert reading("agent_session_score_sum_total", score="toxicity") == 0.25
    assert reading("agent_feedback_total", event="takeover", cohort="candidate") == 2


def test_a_file_whose_making_was_interrupted_is_made_again(make_reporter: Make, tmp_path: Path) -> None:
    (tmp_path / "outcomes-0.state").write_bytes(b"\0" * 100)
    reporter = make_reporter(state_dir=str(tmp_path))
    with task(reporter=reporter):
        pass
    assert Reading.of(reporter)("agent_tasks_total") == 1


def test_a_directory_that_cannot_be_used_is_noted_and_memory_takes_its_place(
    make_reporter: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    reporter = make_reporter(state_dir=str(tmp_path / "file" / "below"))
    with task(reporter=reporter):
        pass
    reading = Reading.of(reporter)
    assert reading("agent_tasks_total") == 1
    assert reading("agent_reporting_problems_total") == 1
    assert "make it a writable directory" in caplog.text


def test_one_process_reports_for_all_of_its_pod_living_or_dead(make_reporter: Make, tmp_path: Path) -> None:
    one, two = make_reporter(state_dir=str(tmp_path)), make_reporter(state_dir=str(tmp_path))
    for reporter in (one, two, two):
        with task(reporter=reporter):
            pass
    assert Reading.of(one)("agent_tasks_total") == Reading.of(two)("agent_tasks_total") == 3
    kill(two)
    assert Reading.of(one)("agent_tasks_total") == 3
    three = make_reporter(state_dir=str(tmp_path))
    with task(reporter=three):
        pass
    assert Reading.of(one)("agent_tasks_total") == Reading.of(three)("agent_tasks_total") == 4
    assert len(list(tmp_path.iterdir())) == 2, "the third took over the file of the second"


def test_a_scrape_of_one_process_drains_its_sibling(make_reporter: Make, tmp_path: Path) -> None:
    one, two = make_reporter(state_dir=str(tmp_path)), make_reporter(state_dir=str(tmp_path))
    with task(reporter=two):
        pass
    one.render("").delivered()
    assert two.drain_blocking().scraped


def test_a_siblings_file_is_not_repaired_while_it_is_written(make_reporter: Make, tmp_path: Path) -> None:
    one, two = make_reporter(state_dir=str(tmp_path)), make_reporter(state_dir=str(tmp_path))
    with task(reporter=two):
        pass
    words = two.ledger.cells.words
    words[0] += 1
    sequence = words[0]
    assert Reading.of(one)("agent_tasks_total") == 1
    assert words[0] == sequence
    Cells(words)
    assert words[0] == sequence + 1


def _count_and_die(directory: str, ready: Any) -> None:
    reporter = Reporter(
        state_dir=directory,
        tools=("lookup", "refund"),
        scores=("toxicity", "similarity"),
        max_open_sessions=50,
    )
    with task(reporter=reporter):
        pass
    Task(reporter).begin()
    ready.set()
    signal.pause()


def test_a_process_that_is_killed_leaves_its_counts_to_the_next(make_reporter: Make, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    child = context.Process(target=_count_and_die, args=(str(tmp_path), ready))
    child.start()
    assert ready.wait(30)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    reading = Reading.of(make_reporter(state_dir=str(tmp_path)))
    assert reading("agent_tasks_total", outcome="success") == 1
    assert reading("agent_tasks_total", outcome="failure") == 1


def _count_in_fork(reporter: Reporter) -> None:
    with task(reporter=reporter):
        pass


def test_a_forked_child_counts_into_a_file_of_its_own(make_reporter: Make, tmp_path: Path) -> None:
    reporter = make_reporter(state_dir=str(tmp_path))
    with task(reporter=reporter):
        pass
    children = [
        multiprocessing.get_context("fork").Process(target=_count_in_fork, args=(reporter,)) for _ in range(2)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    with task(reporter=reporter):
        pass
    assert Reading.of(reporter)("agent_tasks_total") == 4


def _end_in_fork(inherited: Task) -> None:
    inherited.end()


def test_a_task_that_a_fork_copied_is_counted_by_the_parent_alone(
    make_reporter: Make, tmp_path: Path
) -> None:
    reporter = make_reporter(state_dir=str(tmp_path))
    with task(reporter=reporter) as inherited:
        child = multiprocessing.get_context("fork").Process(target=_end_in_fork, args=(inherited,))
        child.start()
        child.join()
        assert child.exitcode == 0
    reading = Reading.of(reporter)
    assert reading("agent_tasks_total") == reading("agent_sessions_closed_total") == 1
