"""Running datasets: every way in which an answer can fail to come is a score of 0 that is told."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import yaml
from pydantic_evals import Case
from pydantic_evals.evaluators import Evaluator, EvaluatorContext

from agentrollouts.evals.attempts import Attempt
from agentrollouts.evals.dataset import Task, Tasks, load
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.run import Pace, in_order, run
from agentrollouts.evals.target import FunctionTarget, TargetError, function_named


def dataset(*cases: dict[str, Any], **more: Any) -> Tasks:
    return load(yaml.safe_dump({"name": "d", "cases": list(cases), **more}), yaml=True)


def case(inputs: Any = "q", expected: Any = "a", **more: Any) -> dict[str, Any]:
    return {"inputs": inputs, "expected_output": expected, **more}


async def done(
    tasks: Tasks, ask: Callable[[Any, str], Awaitable[Any]], pace: Pace | None = None
) -> list[Attempt]:
    class Asked:
        async def ask(self, inputs: Any, session: str, /) -> Any:
            return await ask(inputs, session)

    attempts: list[Attempt] = []
    await run(tasks, Asked(), pace or Pace(), name="run", done=attempts)
    return in_order(tasks, attempts)


async def asked(tasks: Tasks, function: Callable[[Any], Any], pace: Pace | None = None) -> list[Attempt]:
    attempts: list[Attempt] = []
    await run(tasks, FunctionTarget(function), pace or Pace(), name="run", done=attempts)
    return in_order(tasks, attempts)


def right(_: Any) -> str:
    return "a"


async def right_async(_: Any) -> str:
    return "a"


def handed_on(question: Any) -> Awaitable[str]:
    return right_async(question)


@pytest.mark.asyncio
@pytest.mark.parametrize("function", [right, right_async, handed_on])
async def test_a_function_is_asked_whether_it_is_async_or_not(function: Callable[[Any], Any]) -> None:
    assert await asked(dataset(case(name="one")), function) == [Attempt("one", Decimal(1), passed=True)]


@pytest.mark.asyncio
async def test_every_case_and_repeat_has_a_session_of_its_own() -> None:
    sessions: list[str] = []

    async def ask(_: Any, session: str) -> str:
        sessions.append(session)
        return "a"

    await done(dataset(case(), case()), ask, Pace(repeats=3))
    assert sorted(sessions) == [f"run-{index}-{repeat}" for index in (1, 2) for repeat in (1, 2, 3)]


@pytest.mark.asyncio
@pytest.mark.parametrize("most", [1, 3])
async def test_no_more_are_in_flight_than_may_be(most: int) -> None:
    now: list[int] = [0]
    seen: list[int] = []

    async def ask(_: Any, session: str) -> str:
        now[0] += 1
        seen.append(now[0])
        for _turn in range(5):
            await asyncio.sleep(0)
        now[0] -= 1
        return "a"

    await done(dataset(*(case() for _ in range(9))), ask, Pace(concurrency=most))
    assert max(seen) == most


def breaks(_: Any) -> str:
    raise ValueError("no key")


async def gives_up(_: Any) -> str:
    raise asyncio.CancelledError


async def leaves(_: Any) -> str:
    sys.exit(3)


def stops(_: Any) -> str:
    raise StopIteration


def leaves_in_a_thread(_: Any) -> str:
    sys.exit(3)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("function", "told"),
    [
        (breaks, "ValueError: no key"),
        (gives_up, "it gave up: CancelledError()"),
        (leaves, "it gave up: SystemExit(3)"),
        (stops, "RuntimeError: StopIteration()"),
        (leaves_in_a_thread, "RuntimeError: SystemExit(3)"),
    ],
)
async def test_what_breaks_is_a_0_that_is_told_and_nobody_elses(
    function: Callable[[Any], Any], told: str
) -> None:
    def some(inputs: str) -> Any:
        return function(inputs) if inputs == "bad" else "a"

    first, second = await asked(dataset(case("bad", name="bad"), case(name="good")), some)
    assert (first.score, first.passed, first.error) == (0, False, told)
    assert (second.score, second.error) == (1, None)


@pytest.mark.asyncio
async def test_an_answer_that_never_comes_is_given_up_in_a_thread_and_out_of_one() -> None:
    for_ever = threading.Event()

    async def never(_: Any) -> None:
        await asyncio.Event().wait()

    def never_in_a_thread(_: Any) -> None:
        for_ever.wait()

    for function in (never, never_in_a_thread):
        [attempt] = await asked(dataset(case()), function, Pace(timeout=0.01))
        assert (attempt.score, attempt.error) == (0, "no answer within 0.01 s")
    for_ever.set()


@pytest.mark.asyncio
async def test_an_answer_that_comes_too_late_disturbs_nobody() -> None:
    threads: list[threading.Thread] = []
    problems: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    late = threading.Event()

    def waits(_: Any) -> str:
        threads.append(threading.current_thread())
        late.wait()
        return "a"

    await asked(dataset(case()), waits, Pace(timeout=0.01))
    late.set()
    await asyncio.to_thread(threads[0].join)
    await asyncio.sleep(0)
    assert problems == []


@pytest.mark.asyncio
async def test_an_interruption_leaves_what_was_done() -> None:
    tasks, attempts, reached = dataset(case(name="one"), case("wait", name="two")), [], asyncio.Event()

    async def ask(inputs: str) -> str:
        if inputs == "wait":
            reached.set()
            await asyncio.Event().wait()
        return "a"

    running = asyncio.create_task(
        run(tasks, FunctionTarget(ask), Pace(concurrency=1), name="run", done=attempts)
    )
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert attempts == [Attempt("one", Decimal(1), passed=True)]


@pytest.mark.asyncio
async def test_scorers_of_the_dataset_and_of_the_case_weigh_the_same() -> None:
    tasks = dataset(
        case("q", "a", name="both", evaluators=[{"Contains": "b"}]), evaluators=["EqualsExpected"]
    )
    [attempt] = await asked(tasks, right)
    assert attempt == Attempt("both", Decimal("0.5"), passed=False)


@pytest.mark.asyncio
async def test_a_case_with_a_scorer_needs_no_expected_output() -> None:
    tasks = dataset({"name": "one", "inputs": "q", "evaluators": [{"Contains": "a"}]})
    assert await asked(tasks, right) == [Attempt("one", Decimal(1), passed=True)]


@pytest.mark.asyncio
async def test_a_case_no_scorer_speaks_of_is_broken_and_not_perfect() -> None:
    [attempt] = await asked(dataset({"inputs": "q"}, evaluators=["EqualsExpected"]), right)
    assert (attempt.score, attempt.error) == (0, "no scorer gave a score or an assertion")


@pytest.mark.asyncio
async def test_a_scorer_that_breaks_is_told() -> None:
    tasks = dataset(case(evaluators=[{"LLMJudge": {"rubric": "good?", "model": "no:such"}}]))
    [attempt] = await asked(tasks, right)
    assert attempt.score == 0
    assert (attempt.error or "").startswith("scorer LLMJudge broke: ")


@dataclass
class Gives(Evaluator[Any, Any, Any]):
    value: float

    def evaluate(self, ctx: EvaluatorContext[Any, Any, Any]) -> float:
        return self.value


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("value", "score", "passed", "told"),
    [
        (0.25, "0.25", False, None),
        (0.5, "0.5", True, None),
        (0.1 + 0.2, "0.30000000000000004", False, None),
        (1.5, "0", False, "scorer Gives gave 1.5; expected a number from 0 to 1"),
        (-0.5, "0", False, "scorer Gives gave -0.5; expected a number from 0 to 1"),
        (
            math.nan,
            "0",
            False,
            "scorer Gives broke: ValueError: Gives(value=nan).evaluate returned a value of an invalid type: nan.",
        ),
    ],
)
async def test_a_number_of_a_scorer_is_the_score_if_it_can_be_one(
    value: float, score: str, passed: bool, told: str | None
) -> None:
    tasks = Tasks("sha256:0", (Task(1, "one", Case(name="one", inputs="q", evaluators=[Gives(value)])),))
    assert await asked(tasks, right) == [Attempt("one", Decimal(score), passed, told)]


@pytest.mark.asyncio
async def test_tags_of_a_cases_metadata_are_kept() -> None:
    [attempt] = await asked(dataset(case(metadata={"tags": ["money", 3], "owner": "x"})), right)
    assert attempt.tags == ("money",)


def test_a_dataset_that_isnt_one_is_refused() -> None:
    for text, told in (
        ("cases: [", "expected a dataset of pydantic-evals; while parsing"),
        ("", "expected a dataset of pydantic-evals; the file"),
        ("cases: []", "at least one case"),
        ("cases: [{name: a}]", "cases.0.inputs: Field required"),
        ("cases: [{inputs: q}]", "'Case 1' has neither"),
        ("cases: [{inputs: q, evaluators: [Nope]}]", "expected scorers of pydantic-evals"),
        ("cases: [{inputs: q, expected_output: a, name: x}, {inputs: q, expected_output: a, name: x}]", "Duplicate case name"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=told):
            load(text, yaml=True)


def test_half_a_json_dataset_is_refused() -> None:
    with pytest.raises(InputError, match="Invalid JSON"):
        load('{"cases": [{"inputs": 1', yaml=False)


def test_a_named_case_may_not_hide_an_unnamed_one() -> None:
    with pytest.raises(InputError, match="'Case 2' twice"):
        dataset(case(name="Case 2"), case())


def test_the_digest_is_of_the_bytes() -> None:
    text = "cases: [{inputs: q, expected_output: a}]"
    assert load(text, yaml=True).digest != load(text + " ", yaml=True).digest


def test_without_the_extra_it_is_said_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_evals", None)
    with pytest.raises(InputError, match=r"pip install 'agent-rollouts\[evals\]'"):
        load("cases: []", yaml=True)


def test_report_evaluators_are_named_because_they_score_no_case() -> None:
    assert dataset(case(), report_evaluators=["ConfusionMatrixEvaluator"]).left_out == (
        "ConfusionMatrixEvaluator",
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("json", "expected a URL or module:function; got 'json'"),
        ("json:nope", "expected a function 'nope' in json"),
        ("json:__name__", "expected a function '__name__' in json"),
        ("no.such:thing", "can't import no.such: ModuleNotFoundError"),
    ],
)
def test_a_function_that_isnt_there_is_told(name: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        function_named(name)


def test_a_function_is_found_in_a_class_of_a_module() -> None:
    assert function_named("json:JSONDecoder.decode") is __import__("json").JSONDecoder.decode


def test_a_targets_own_error_is_told_without_its_class() -> None:
    assert str(TargetError("x")) == "x"
