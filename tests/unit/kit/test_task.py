"""What counts as which outcome, for every way in which a task can end."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from agentrollouts_kit import Reporter, Task, current_task, task, use_reporter
from tests.kit.reading import Reading

OUTCOMES = ("success", "failure", "refused", "escalated")


def outcomes(reporter: Reporter) -> dict[str, float]:
    reading = Reading.of(reporter)
    counts = {outcome: reading("agent_tasks_total", outcome=outcome) for outcome in OUTCOMES}
    return {outcome: count for outcome, count in counts.items() if count}


@pytest.fixture(autouse=True)
def _default(reporter: Reporter) -> None:
    use_reporter(reporter)


@pytest.mark.parametrize(
    ("say", "outcome"),
    [("success", "success"), ("fail", "failure"), ("refuse", "refused"), ("escalate", "escalated")],
)
def test_an_explicit_outcome(reporter: Reporter, say: str, outcome: str) -> None:
    with task() as t:
        getattr(t, say)()
    assert outcomes(reporter) == {outcome: 1}


def test_the_last_word_counts(reporter: Reporter) -> None:
    with task() as t:
        t.success()
        t.fail("the validator says no")
    assert outcomes(reporter) == {"failure": 1}


def test_a_normal_return_is_the_default_outcome(
    reporter: Reporter, make_reporter: Callable[..., Reporter]
) -> None:
    with task():
        pass
    with task(default_outcome="escalated"):
        pass
    assert outcomes(reporter) == {"success": 1, "escalated": 1}
    strict = make_reporter(default_outcome="failure")
    with task(reporter=strict):
        pass
    assert outcomes(strict) == {"failure": 1}


@pytest.mark.parametrize(
    ("say", "error", "outcome"),
    [
        (None, RuntimeError, "failure"),
        ("success", RuntimeError, "failure"),
        ("refuse", RuntimeError, "refused"),
        ("escalate", RuntimeError, "escalated"),
        (None, asyncio.CancelledError, "failure"),
        ("success", asyncio.CancelledError, "success"),
        ("refuse", asyncio.CancelledError, "refused"),
        (None, KeyboardInterrupt, "failure"),
        ("success", SystemExit, "success"),
        ("fail", GeneratorExit, "failure"),
    ],
)
def test_an_exception_is_a_failure_never_silence(
    reporter: Reporter, say: str | None, error: type[BaseException], outcome: str
) -> None:
    @task
    def answer() -> None:
        if say:
            getattr(current_task(), say)()
        raise error

    with pytest.raises(error):
        answer()
    assert outcomes(reporter) == {outcome: 1}


@pytest.mark.asyncio
async def test_a_cancelled_task_is_a_failure(reporter: Reporter) -> None:
    begun = asyncio.Event()

    @task
    async def answer() -> None:
        begun.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(answer())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert outcomes(reporter) == {"failure": 1}


@pytest.mark.asyncio
async def test_every_kind_of_function_can_be_a_task(reporter: Reporter) -> None:
    @task
    def plain(x: int) -> int:
        current_task().refuse()
        return x

    @task(default_outcome="escalated")
    async def coroutine(x: int) -> int:
        return x

    @task
    def generator() -> Iterator[int]:
        yield 1
        current_task().fail()
        yield 2

    @task
    async def async_generator() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0)
        yield 2
        current_task().success()

    assert plain(1) == 1 and plain.__name__ == "plain"
    assert await coroutine(2) == 2
    assert list(generator()) == [1, 2]
    assert [item async for item in async_generator()] == [1, 2]
    assert outcomes(reporter) == {"refused": 1, "escalated": 1, "failure": 1, "success": 1}


@pytest.mark.asyncio
async def test_a_stream_the_caller_left_is_a_failure_unless_it_had_said_so(reporter: Reporter) -> None:
    @task
    async def stream(*, known: bool) -> AsyncIterator[str]:
        if known:
            current_task().success()
        yield "first"
        yield "never read"

    for known in (True, False):
        left: Any = stream(known=known)
        assert await anext(left) == "first"
        await left.aclose()
    assert outcomes(reporter) == {"success": 1, "failure": 1}


def test_between_two_steps_of_a_generator_its_task_is_not_current(reporter: Reporter) -> None:
    @task
    def stream() -> Iterator[int]:
        yield 1
        yield 2

    steps = stream()
    next(steps)
    with task() as mine:
        next(steps)
        mine.refuse()
    assert list(steps) == []
    assert outcomes(reporter) == {"refused": 1, "success": 1}


def test_a_generator_that_was_never_started_is_no_task(reporter: Reporter) -> None:
    @task
    def stream() -> Iterator[int]:
        yield 1

    stream()
    assert outcomes(reporter) == {}


def test_a_generator_raises_into_a_failure_and_returns_its_value(reporter: Reporter) -> None:
    @task
    def broken() -> Iterator[int]:
        yield 1
        raise RuntimeError

    @task
    def valued() -> Any:
        yield 1
        return "value"

    def delegate() -> Any:
        return (yield from valued())

    with pytest.raises(RuntimeError):
        list(broken())
    steps = delegate()
    next(steps)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == "value"
    assert outcomes(reporter) == {"failure": 1, "success": 1}


def test_a_task_within_a_task_joins_it(reporter: Reporter) -> None:
    @task
    def part() -> None:
        current_task().tool_call("lookup")

    with task() as outer:
        part()
        with task() as inner:
            assert inner is outer
        with contextlib.suppress(RuntimeError), task():
            raise RuntimeError
    assert outcomes(reporter) == {"success": 1}
    assert Reading.of(reporter)("agent_tool_calls_total", tool="lookup") == 1


@pytest.mark.asyncio
async def test_a_background_job_that_outlives_its_task_is_a_task_of_its_own(reporter: Reporter) -> None:
    answered = asyncio.Event()

    async def job() -> None:
        await answered.wait()
        async with task() as t:
            t.fail()

    with task():
        background = asyncio.create_task(job())
    answered.set()
    await background
    assert outcomes(reporter) == {"success": 1, "failure": 1}


def test_a_generator_closed_in_another_context(reporter: Reporter) -> None:
    def stream() -> Iterator[int]:
        with task():
            yield 1

    steps: Any = stream()
    contextvars.copy_context().run(next, steps)
    steps.close()
    assert outcomes(reporter) == {"failure": 1}


def test_amounts_and_events(reporter: Reporter) -> None:
    with task() as t:
        t.add_cost(0.25)
        t.llm_call(input_tokens=100, output_tokens=20, cost_usd=0.5)
        t.llm_call(calls=2)
        t.tool_call("lookup")
        t.tool_call("lookup", ok=False)
        t.checkpoint()
        t.intervention()
        t.destructive_rollback()
        t.response("four")
        t.response(196)
    reading = Reading.of(reporter)
    assert reading("agent_task_cost_usd_total") == 0.75
    assert reading("agent_llm_calls_total") == 3
    assert reading("agent_llm_tokens_total", direction="input") == 100
    assert reading("agent_llm_tokens_total", direction="output") == 20
    assert reading("agent_tool_calls_total", tool="lookup", outcome="success") == 1
    assert reading("agent_tool_calls_total", tool="lookup", outcome="failure") == 1
    assert reading("agent_checkpoints_total") == 1
    assert reading("agent_interventions_total") == 1
    assert reading("agent_destructive_rollbacks_total") == 1
    assert reading("agent_response_length_chars_sum") == 200
    assert reading("agent_response_length_chars_bucket", le="50.0") == 0
    assert reading("agent_response_length_chars_bucket", le="200.0") == 1


@pytest.mark.parametrize("cost", [-1, float("nan"), float("inf"), "0.1", None])
def test_a_senseless_amount_is_left_out_and_noted(reporter: Reporter, cost: Any) -> None:
    with task() as t:
        t.add_cost(cost)
        t.add_cost(0.5)
    reading = Reading.of(reporter)
    assert reading("agent_task_cost_usd_total") == 0.5
    assert reading("agent_reporting_problems_total") == 1


def test_what_is_said_after_the_end_changes_nothing_and_is_noted(reporter: Reporter) -> None:
    with task() as t:
        pass
    t.fail()
    t.end()
    assert outcomes(reporter) == {"success": 1}
    assert reporter.problems.total == 1


def test_current_task_outside_of_a_task_is_harmless(reporter: Reporter) -> None:
    current_task().tool_call("lookup")
    assert outcomes(reporter) == {}


def test_a_broken_ledger_never_reaches_the_agent(reporter: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(reporter.ledger, "_begin", broken)
    with task() as t:
        t.success()
    assert reporter.problems.total == 1


def test_threads_count_every_task_once(reporter: Reporter) -> None:
    def work() -> None:
        for _ in range(500):
            with task() as t:
                t.llm_call()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        Reading.of(reporter)
    reading = Reading.of(reporter)
    assert reading("agent_tasks_total") == reading("agent_llm_calls_total") == 2000
    assert reading("agent_sessions_closed_total") == 2000


def test_a_destructor_that_ends_a_task_while_another_is_being_counted(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandoned = Task(reporter)
    abandoned.begin()
    commit = reporter.ledger.cells.commit

    def commit_with_garbage_collection(changes: dict[int, float]) -> None:
        abandoned.end()
        gc.collect()
        commit(changes)

    with monkeypatch.context() as patched:
        patched.setattr(reporter.ledger.cells, "commit", commit_with_garbage_collection)
        with task() as t:
            t.refuse()
    assert outcomes(reporter) == {"success": 1, "refused": 1}
    assert reporter.problems.total == 0
