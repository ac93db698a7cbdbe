"""Embeddings against a server that speaks the protocol, and what becomes of everything that isn't one."""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from agentrollouts.embeddings import openai
from agentrollouts.embeddings.openai import OpenAIEmbeddings
from agentrollouts.replay.embed import NotNowError
from agentrollouts.replay.embedding import unit
from agentrollouts.replay.errors import ReplayError
from tests.fakes.embeddings import by_table, embeddings
from tests.fakes.llm import Model, serving

KEY = "key-of-the-user"
TABLE = {"paid": (1.0, 2.0), "settled": (-3.0, 4.0), "?": (1.0, 1.0)}


@pytest.fixture
def model() -> Iterator[Model]:
    with serving() as found:
        found.body = by_table(TABLE)
        yield found


@pytest_asyncio.fixture
async def asked(model: Model) -> AsyncIterator[OpenAIEmbeddings]:
    found = OpenAIEmbeddings(url=model.url, api_key=KEY, model="small-embedding", timeout=60)
    yield found
    await found.close()


@pytest.mark.asyncio
async def test_each_text_gets_its_vector_and_nothing_but_texts_is_sent(
    model: Model, asked: OpenAIEmbeddings
) -> None:
    assert list(await asked.vectors(["settled", "paid"])) == [unit([-3, 4]), unit([1, 2])]
    ((path, headers, body),) = model.asked
    assert (path, headers["authorization"]) == ("/v1/embeddings", f"Bearer {KEY}")
    assert body == {"input": ["settled", "paid"], "model": "small-embedding", "encoding_format": "float"}


@pytest.mark.asyncio
async def test_the_order_of_the_answer_doesnt_matter(model: Model, asked: OpenAIEmbeddings) -> None:
    answer = embeddings([1, 0], [0, 1], [1, 1])
    model.body = answer | {"data": answer["data"][::-1]}
    assert list(await asked.vectors(["a", "b", "c"])) == [unit([1, 0]), unit([0, 1]), unit([1, 1])]


@pytest.mark.asyncio
async def test_half_a_surrogate_pair_is_sent_as_a_question_mark(asked: OpenAIEmbeddings) -> None:
    assert list(await asked.vectors(["\ud800"])) == [unit([1, 1])]


@pytest.mark.asyncio
async def test_without_a_key_none_of_the_environment_is_sent(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-environment")
    keyless = OpenAIEmbeddings(url=model.url, api_key="", model="m", timeout=60)
    await keyless.vectors(["paid"])
    await keyless.close()
    assert "key-of-the-environment" not in str(model.asked)


def at(*entries: tuple[object, object]) -> dict[str, Any]:
    return {"data": [{"index": index, "embedding": vector} for index, vector in entries]}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (embeddings([0.0, 0.0], [1.0, 0.0]), "text 0; got a null vector of 2 numbers"),
        (embeddings([1.0, 0.0], [1.0, math.nan]), "text 1; got one with nan at place 1"),
        (embeddings([1.0, -math.inf], [1.0, 0.0]), "text 0; got one with -inf at place 1"),
        (embeddings([10**400], [1.0]), "text 0; got one with a number that is too large"),
        (embeddings([1.0, 0.0], [1.0]), "of one length; got some of 1 and some of 2 numbers"),
        (embeddings([1.0]), "expected 2 embeddings, one for each text; got 1"),
        (embeddings([1.0], [1.0], [1.0]), "expected 2 embeddings, one for each text; got 3"),
        (embeddings([], [1.0]), "expected a list of numbers as the embedding of text 0"),
        (embeddings([1.0], ["1.0"]), "expected a list of numbers as the embedding of text 1"),
        (embeddings([True], [1.0]), "expected a list of numbers as the embedding of text 0"),
        (embeddings("AACAPw==", [1.0]), "expected a list of numbers as the embedding of text 0"),
        (at((0, [1.0]), (0, [1.0])), "indices 0 to 1, each of them once; got 1 different"),
        (at((0, [1.0]), (2, [1.0])), "with its index, from 0 to 1"),
        (at((0, [1.0]), (True, [1.0])), "with its index, from 0 to 1"),
        (at((-1, [1.0]), (0, [1.0])), "with its index, from 0 to 1"),
        ({"data": [[1.0], [1.0]]}, "with its index, from 0 to 1"),
        ({"data": None}, "the embeddings in data; got something else"),
        ({"error": "sent to evil.example"}, "the embeddings in data; got something else"),
        (["data"], "the embeddings in data; got something else"),
        (b"<html>", "the embeddings in data; got something else"),
        (b"\xff\xfe\x00", "the embeddings in data; got something else"),
        (b"[" * 100_000, "the embeddings in data; got something else"),
        (b"", "the embeddings in data; got something else"),
    ],
)
async def test_what_is_no_answer_is_an_error_that_names_what_was_seen(
    model: Model, asked: OpenAIEmbeddings, body: Any, told: str
) -> None:
    model.body = body
    with pytest.raises(ReplayError) as caught:
        await asked.vectors(["paid", "settled"])
    assert told in str(caught.value)
    assert model.url in str(caught.value)
    assert not any(word in str(caught.value) for word in (KEY, "evil", "paid", "settled"))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "--embedding-key-file"),
        (403, "--embedding-key-file"),
        (404, "--embedding-model"),
        (400, "to 2 texts, the longest of 7 characters"),
        (413, "to 2 texts, the longest of 7 characters"),
        (307, "HTTP 307"),
    ],
)
async def test_a_refusal_is_no_matter_of_another_try(
    model: Model, asked: OpenAIEmbeddings, status: int, told: str
) -> None:
    model.status, model.body = status, {"error": {"message": f"evil, says the error, {KEY}"}}
    with pytest.raises(ReplayError) as caught:
        await asked.vectors(["paid", "settled"])
    assert told in str(caught.value)
    assert not any(word in str(caught.value) for word in (KEY, "evil"))
    assert len(model.asked) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_an_endpoint_that_is_busy_may_be_asked_again(
    model: Model, asked: OpenAIEmbeddings, status: int
) -> None:
    for header, after in ({"retry-after": "7"}, 7.0), ({"retry-after": "Fri, 31 Dec 1999"}, 0.0), ({}, 0.0):
        model.status, model.headers = status, header
        with pytest.raises(NotNowError, match=f"HTTP {status}") as caught:
            await asked.vectors(["paid"])
        assert caught.value.after == after
    assert len(model.asked) == 3, "the embedder itself asks once"


@pytest.mark.asyncio
async def test_a_redirect_is_not_followed(model: Model, asked: OpenAIEmbeddings) -> None:
    with serving() as elsewhere:
        model.status, model.headers = 307, {"location": f"{elsewhere.url}/embeddings"}
        with pytest.raises(ReplayError, match="HTTP 307"):
            await asked.vectors(["paid"])
        assert elsewhere.asked == []


@pytest.mark.asyncio
async def test_an_endpoint_that_hangs_or_isnt_there_may_be_asked_again(model: Model) -> None:
    model.hangs = True
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and doesn't listen
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        for url, told in ((model.url, r"didn't answer within 0\.2 s"), (nobody, "can't be reached")):
            asked = OpenAIEmbeddings(url=url, api_key=KEY, model="m", timeout=0.2 if url == model.url else 60)
            with pytest.raises(NotNowError, match=told):
                await asked.vectors(["paid"])
            await asked.close()


@pytest.mark.asyncio
async def test_an_answer_that_goes_on_and_on_is_dropped(
    model: Model, asked: OpenAIEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "LARGEST", 2 << 20)
    small = OpenAIEmbeddings(url=model.url, api_key=KEY, model="m", timeout=60)
    model.body = b" " * (3 << 20)
    with pytest.raises(ReplayError, match="longer than 2097152 bytes"):
        await small.vectors(["paid"])
    await small.close()


@pytest.mark.asyncio
async def test_the_largest_batch_of_a_large_model_is_read(model: Model, asked: OpenAIEmbeddings) -> None:
    vector = [-0.012345678901234567] * 8192
    model.body = lambda request: embeddings(*([vector] * len(request["input"])))
    found = await asked.vectors(["x"] * 32)
    assert {len(each) for each in found} == {8192}
