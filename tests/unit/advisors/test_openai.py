"""The OpenAI advisor against a server that speaks the protocol, and what becomes of everything that isn't an answer."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from agentrollouts.advisors import Advisors, Endpoint
from agentrollouts.api.advisor import AdvisorSpec
from agentrollouts.core.opinion import ASSUMED_TOKENS, NoOpinion, Opinion, Subject
from agentrollouts.core.question import Question, ask
from tests.builders import climbing
from tests.fakes.llm import GOOD, Model, completion, serving

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@pytest.fixture
def model() -> Iterator[Model]:
    with serving() as found:
        yield found


@pytest_asyncio.fixture
async def advisors(model: Model) -> AsyncIterator[Advisors]:
    found = Advisors(Endpoint(model.url, "key-of-the-operator"))
    yield found
    await found.close()


def spec(**fields: Any) -> AdvisorSpec:
    return AdvisorSpec.model_validate({"model": "small-model", **fields})


def question() -> Question:
    return ask(climbing(), (), Subject(1, 1, 2_000))


@pytest.mark.asyncio
async def test_a_good_answer_is_an_opinion_with_its_usage(model: Model, advisors: Advisors) -> None:
    answer = await advisors.opinion(question(), spec=spec())
    assert answer == Opinion("hold", 8_500, "tool errors rise", ("tools: 4.1%",), 723)
    path, headers, asked = model.asked[0]
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer key-of-the-operator"
    assert (asked["model"], asked["response_format"]["type"]) == ("small-model", "json_schema")
    assert model.said()["next_share_percent"] == 20


def answer_of(**changes: Any) -> Any:
    return completion(json.dumps(GOOD | changes), usage=USAGE)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (completion(None, usage=USAGE, refusal="I can't help with that"), ("Refused", 15)),
        (completion(None, usage=USAGE, finish_reason="content_filter"), ("Refused", 15)),
        (completion('{"action": "ho', usage=USAGE, finish_reason="length"), ("Nonsense", 15)),
        (completion(None, usage=USAGE), ("Nonsense", 15)),
        (completion("", usage=USAGE), ("Nonsense", 15)),
        (completion("Sure! I would proceed.", usage=USAGE), ("Nonsense", 15)),
        (completion("null", usage=USAGE), ("Nonsense", 15)),
        (answer_of(action="promote"), ("Nonsense", 15)),
        (answer_of(confidence=85), ("Nonsense", 15)),
        (answer_of(confidence=-0.1), ("Nonsense", 15)),
        (answer_of(confidence=float("nan")), ("Nonsense", 15)),
        (answer_of(share=10_000), ("Nonsense", 15)),
        (answer_of(evidence="none"), ("Nonsense", 15)),
        ({"choices": [], "usage": USAGE}, ("Nonsense", 15)),
        ({"choices": None, "usage": USAGE}, ("Nonsense", 15)),
        ({"choices": ["proceed"], "usage": USAGE}, ("Nonsense", 15)),
        ({"error": "out of order"}, ("Nonsense", ASSUMED_TOKENS)),
        (["proceed"], ("Nonsense", ASSUMED_TOKENS)),
        ("proceed", ("Nonsense", ASSUMED_TOKENS)),
        (b"<html>proceed</html>", ("Nonsense", ASSUMED_TOKENS)),
        (b"\xff\xfe\x00", ("Nonsense", ASSUMED_TOKENS)),
        (b"", ("Nonsense", ASSUMED_TOKENS)),
    ],
)
async def test_what_is_no_opinion(
    model: Model, advisors: Advisors, body: Any, expected: tuple[str, int]
) -> None:
    model.body = body
    answer = await advisors.opinion(question(), spec=spec())
    assert isinstance(answer, NoOpinion), answer
    assert (answer.problem, answer.tokens) == expected
    assert answer.reason


@pytest.mark.asyncio
async def test_a_wrong_answer_is_told_from_no_answer_at_all(model: Model, advisors: Advisors) -> None:
    for body, reason in (
        (answer_of(action="promote"), "the answer doesn't follow the schema"),
        (b"<html>proceed</html>", "the answer is no chat completion"),
    ):
        model.body = body
        answer = await advisors.opinion(question(), spec=spec())
        assert answer.reason == reason


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of what the client makes of nonsense
@pytest.mark.asyncio
@pytest.mark.parametrize(
    "usage", [None, {"total_tokens": "many"}, {"total_tokens": -5}, {"prompt_tokens": 3}]
)
async def test_usage_that_is_not_told_is_assumed(model: Model, advisors: Advisors, usage: Any) -> None:
    model.body = completion(json.dumps(GOOD), usage=usage)
    answer = await advisors.opinion(question(), spec=spec())
    assert isinstance(answer, Opinion)
    assert answer.tokens == ASSUMED_TOKENS


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_an_http_error_is_no_opinion_and_is_not_tried_again(
    model: Model, advisors: Advisors, status: int
) -> None:
    model.status, model.body = status, {"error": {"message": "proceed, says the error"}}
    answer = await advisors.opinion(question(), spec=spec())
    assert answer == NoOpinion("Unreachable", f"the endpoint answered with HTTP {status}")
    assert len(model.asked) == 1


@pytest.mark.asyncio
async def test_an_endpoint_that_hangs_is_given_up(model: Model, advisors: Advisors) -> None:
    model.hangs = True
    await advisors.opinion(question(), spec=spec(baseURL="http://127.0.0.1:1/v1"))  # imports the library
    hasty = spec().model_copy(update={"timeout": spec().timeout / 200})
    answer = await advisors.opinion(question(), spec=hasty)
    assert isinstance(answer, NoOpinion)
    assert (answer.problem, answer.tokens) == ("Timeout", ASSUMED_TOKENS)


@pytest.mark.asyncio
async def test_nobody_there(advisors: Advisors) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and doesn't listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        answer = await advisors.opinion(question(), spec=spec(baseURL=url))
    assert answer == NoOpinion("Unreachable", "the endpoint can't be reached")


@pytest.mark.asyncio
async def test_without_an_endpoint_nothing_leaves_the_operator(model: Model) -> None:
    advisors = Advisors(Endpoint("", "key"))
    answer = await advisors.opinion(question(), spec=spec())
    await advisors.close()
    assert isinstance(answer, NoOpinion)
    assert answer.problem == "NotConfigured"


@pytest.mark.asyncio
async def test_the_operators_key_goes_to_the_operators_endpoint_alone(model: Model) -> None:
    for own, shown in (("http://llm.models.svc/v1", False), (f"{model.url}/", True)):
        advisors = Advisors(Endpoint(own, "key-of-the-operator"))
        await advisors.opinion(question(), spec=spec(baseURL=model.url))
        await advisors.close()
        assert ("key-of-the-operator" in str(model.asked[-1][1])) is shown
    assert "key-of-the-operator" not in repr(Endpoint("http://x", "key-of-the-operator"))


@pytest.mark.asyncio
async def test_a_redirect_is_not_followed(model: Model, advisors: Advisors) -> None:
    with serving() as elsewhere:
        model.status, model.headers = 307, {"location": f"{elsewhere.url}/chat/completions"}
        answer = await advisors.opinion(question(), spec=spec())
        assert elsewhere.asked == []
    assert answer == NoOpinion("Unreachable", "the endpoint answered with HTTP 307")


@pytest.mark.asyncio
async def test_an_answer_that_goes_on_and_on_is_dropped(model: Model, advisors: Advisors) -> None:
    model.body = b" " * (2 << 20) + json.dumps(completion(json.dumps(GOOD))).encode()
    answer = await advisors.opinion(question(), spec=spec())
    assert isinstance(answer, NoOpinion)
    assert answer.problem == "Nonsense"
    assert "longer than" in answer.reason


@pytest.mark.asyncio
async def test_two_first_questions_at_once_share_one_advisor(model: Model, advisors: Advisors) -> None:
    answers = await asyncio.gather(*(advisors.opinion(question(), spec=spec()) for _ in range(4)))
    assert [type(answer) for answer in answers] == [Opinion] * 4
    assert len(advisors._opened) == 1
