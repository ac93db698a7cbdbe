"""What a trial makes of an agent's answers: right, wrong, or nothing that says anything about the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event
from typing import Any

import pytest

from agentrollouts.api.task import TaskRecord
from agentrollouts.improver.replay_trial import AT_ONCE, ReplayTrial
from agentrollouts.improver.trial import TrialError
from tests.fakes import trial
from tests.fakes.trial import TrialAgent
from tests.ledger.tasks import record

CASES = [record(n, input={"text": f"question {n}"}, expected={"label": "paid"}) for n in range(12)]
PROMPT = "Be kind."


@pytest.fixture
def agent() -> Iterator[TrialAgent]:
    """Every answer of it is right."""
    with trial.serving() as found:
        found.answer = lambda _: {"label": "paid", "answer": "…"}
        yield found


async def tried(
    agent: TrialAgent,
    cases: Sequence[TaskRecord] = CASES,
    *,
    within: float = 30.0,
    found_within: float = 30.0,
) -> list[bool]:
    probation = ReplayTrial(agent.url, agent.recordings, timeout=within, found_within=found_within)
    try:
        return list(await probation.run(PROMPT, cases))
    finally:
        await probation.close()


@pytest.mark.asyncio
async def test_the_prompt_and_the_task_are_sent_and_few_at_once(agent: TrialAgent) -> None:
    right = [text_of(case) == "question 7" for case in CASES]
    agent.answer = lambda asked: {"label": "paid" if asked["input"]["text"] == "question 7" else "wrong"}
    assert await tried(agent) == right
    assert {asked["system_prompt"] for asked in agent.asked} == {PROMPT}
    assert sorted(asked["input"]["text"] for asked in agent.asked) == sorted(map(text_of, CASES))
    assert agent.most <= AT_ONCE


def text_of(case: TaskRecord) -> str:
    assert isinstance(case.input, dict)
    return str(case.input["text"])


def fails(status: int) -> Callable[[TrialAgent], None]:
    def set_status(agent: TrialAgent) -> None:
        agent.status = status

    return set_status


def never_ends(agent: TrialAgent) -> None:
    agent.endless = True


def answers(value: Any) -> Callable[[TrialAgent], None]:
    def set_answer(agent: TrialAgent) -> None:
        agent.answer = lambda _: value

    return set_answer


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "happens",
    [
        fails(500),
        fails(504),
        answers({"label": "unpaid"}),
        answers("paid"),
        never_ends,
    ],
    ids=["error", "timeout of its own", "other", "no object", "endless"],
)
async def test_what_its_users_would_take_for_wrong_is_wrong(
    agent: TrialAgent, happens: Callable[[TrialAgent], None]
) -> None:
    happens(agent)
    assert await tried(agent) == [False] * len(CASES)


REFUND = {"name": "refund_order", "arguments": {"order": "A-1000"}, "result": "done"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("outcome", "calls", "source", "right"),
    [
        ("success", [], "refused", False),
        ("success", [REFUND], "refused", True),
        ("failure", [], "refused", True),
        ("success", [], "live", True),
    ],
    ids=["went well without it", "has one", "may have lacked it", "is safe"],
)
async def test_a_deed_that_a_task_went_well_without_is_wrong_whatever_is_answered_then(
    agent: TrialAgent, outcome: str, calls: list[dict[str, Any]], source: str, right: bool
) -> None:
    agent.also = [{"name": "refund_order", "source": source}]
    case = record(1, outcome=outcome, expected={"label": "paid"}, toolCalls=calls)
    assert await tried(agent, [case]) == [right]


@pytest.mark.asyncio
async def test_an_answer_that_never_comes_is_wrong(agent: TrialAgent) -> None:
    agent.gate = gate = Event()
    try:
        assert await tried(agent, within=0.5) == [False] * len(CASES)
    finally:
        gate.set()


@pytest.mark.asyncio
async def test_an_agent_that_does_not_find_us_yet_is_asked_again(agent: TrialAgent) -> None:
    agent.refuse_first = AT_ONCE + 1
    assert await tried(agent) == [True] * len(CASES)
    assert len(agent.asked) == len(CASES) + agent.refuse_first


@pytest.mark.asyncio
async def test_an_agent_that_never_finds_us_ends_the_trial(agent: TrialAgent) -> None:
    agent.refuse_first = 1000
    port = agent.recordings.port
    with pytest.raises(TrialError, match=rf"no answer from the replayer.* this run listens, at port {port}$"):
        await tried(agent, found_within=0.0)
    assert len(agent.asked) <= AT_ONCE


def says_nothing_before(agent: TrialAgent) -> None:
    agent.says_before = False


def says_nothing_after(agent: TrialAgent) -> None:
    agent.says_after = False


def tells_nothing(agent: TrialAgent) -> None:
    agent.reports = False


def breaks(agent: TrialAgent) -> None:
    agent.break_first = 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (says_nothing_before, "Start it with AGENT_REPLAY=1 and AGENT_REPLAY_URL"),
        (says_nothing_after, "without saying that it was a replay"),
        (tells_nothing, "its kit didn't tell what it did"),
        (fails(503), "HTTP 503"),
        (fails(404), "HTTP 404; expected an agent that takes"),
        (breaks, "can't be reached"),
    ],
)
async def test_what_says_nothing_about_the_prompt_ends_the_trial(
    agent: TrialAgent, happens: Callable[[TrialAgent], None], words: str
) -> None:
    happens(agent)
    with pytest.raises(TrialError, match=words):
        await tried(agent, within=1.0 if happens is tells_nothing else 30.0)
    assert len(agent.asked) <= AT_ONCE
    assert agent.asked or happens is says_nothing_before, "whoever doesn't say so beforehand isn't asked"
