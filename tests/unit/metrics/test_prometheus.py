"""Every way a server can fail to answer is a value with its reason, for its query alone."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from agentrollouts.core.evidence import CounterQuery, Unavailable
from agentrollouts.metrics.exchange import Budget, Exchange
from agentrollouts.metrics.prometheus import PrometheusSource
from agentrollouts.ports import AgentKey

TASKS = CounterQuery("agent_tasks_total", "outcome")
CALLS = CounterQuery("agent_llm_calls_total")
SUPPORT = AgentKey("shop", "support")
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
LABELS = {"namespace": "shop", "agent": "support", "version": "1.0.0", "outcome": "success", "pod": "p-0"}
Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


def success(*result: object, kind: str = "vector", **more: object) -> dict[str, object]:
    return {"status": "success", "data": {"resultType": kind, "result": list(result)}, **more}


def answering(answer: object, *, status: int = 200) -> Handler:
    async def handle(request: httpx.Request) -> httpx.Response:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return httpx.Response(status, content=content)

    return handle


def raising(error: Exception) -> Handler:
    async def handle(request: httpx.Request) -> httpx.Response:
        raise error

    return handle


async def silence(request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def trickle(request: httpx.Request) -> httpx.Response:
    async def drops() -> Any:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    return httpx.Response(200, content=drops())


def source(handler: Handler, **options: Any) -> PrometheusSource:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return PrometheusSource("http://prometheus.example/prefix/", client, **options)


async def reason_of(handler: Handler, **options: Any) -> str:
    asked = source(handler, **options)
    current = (await asked.current([TASKS], [SUPPORT]))[TASKS]
    past = (await asked.history([TASKS], [SUPPORT], since=NOW - timedelta(minutes=9), until=NOW))[TASKS]
    assert isinstance(current, Unavailable)
    assert isinstance(past, Unavailable)
    assert current.reason.startswith(
        "Prometheus at http://prometheus.example/prefix/ about agent_tasks_total: "
    )
    return current.reason


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (raising(httpx.ConnectError("connection refused")), "not reachable: connection refused"),
        (raising(httpx.RemoteProtocolError("peer hung up")), "not reachable: peer hung up"),
        (raising(httpx.ReadTimeout("slow")), "no answer within 5 s"),
        (answering(b"<html>oops</html>", status=500), "HTTP 500: <html>oops</html>"),
        (answering(b"[1]", status=502), "HTTP 502: [1]"),
        (answering({"errorType": "limit", "error": "slow down"}, status=429), "HTTP 429: limit: slow down"),
        (
            answering({"status": "error", "errorType": "bad_data", "error": "parse"}, status=400),
            "bad_data: parse",
        ),
        (
            answering({"status": "error", "errorType": "execution", "error": "no"}),
            "status 'error': execution: no",
        ),
        (answering(b"{not json"), "expected JSON, got b'{not json'"),
        (answering(b"\xff\xfe"), "expected JSON"),
        (answering([]), "expected a JSON object, got list"),
        (answering({"status": "success"}), "got resultType None"),
        (answering({"status": "success", "data": []}), "got resultType None"),
        (answering(success(kind="scalar")), "got resultType 'scalar'"),
        (
            answering({"status": "success", "data": {"resultType": "vector", "result": 7}}),
            "expected a vector",
        ),
        (answering(success("text")), "expected series, got text"),
        (answering(success({"value": [1, "2"]})), "expected series"),
        (answering(success({"metric": [], "value": [1, "2"]})), "expected series"),
        (answering(success({"metric": LABELS, "value": [1]})), "expected series"),
        (answering(success({"metric": LABELS, "value": [1, "many"]})), "expected series"),
        (answering(b"[" * 100_000), "expected JSON"),
    ],
)
async def test_a_failure_says_what_came(handler: Handler, words: str) -> None:
    assert words in await reason_of(handler)


@pytest.mark.asyncio
@pytest.mark.parametrize("handler", [silence, trickle])
async def test_an_answer_has_a_deadline_as_a_whole(handler: Handler) -> None:
    brief = Budget(0.1, 10_000)
    assert "no answer within 0.1 s" in await reason_of(handler, tick=brief, history_chunk=brief)


@pytest.mark.asyncio
async def test_an_answer_has_a_size() -> None:
    small = Budget(5.0, 1_000)
    words = await reason_of(answering(b" " * 1_001), tick=small, history_chunk=small)
    assert "larger than 1000 bytes" in words


@pytest.mark.asyncio
@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1"])
async def test_what_no_counter_can_be_is_unavailable_for_its_agent(value: str) -> None:
    good = {"metric": LABELS | {"agent": "billing"}, "value": [1, "2"]}
    broken = {"metric": LABELS, "value": [1, value]}
    billing = AgentKey("shop", "billing")
    found = await source(answering(success(broken, good, broken))).current([TASKS], [SUPPORT, billing])
    by_agent = found[TASKS]
    assert not isinstance(by_agent, Unavailable)
    assert isinstance(by_agent[SUPPORT], Unavailable)
    assert not isinstance(by_agent[billing], Unavailable)


@pytest.mark.asyncio
async def test_native_histograms_are_unavailable() -> None:
    found = await source(answering(success({"metric": LABELS, "histogram": [1, {}]}))).current(
        [TASKS], [SUPPORT]
    )
    by_agent = found[TASKS]
    assert not isinstance(by_agent, Unavailable)
    assert "native histogram" in by_agent[SUPPORT].reason  # type: ignore[union-attr]


@pytest.mark.asyncio
async def test_one_failing_query_leaves_the_others_alone() -> None:
    async def handle(request: httpx.Request) -> httpx.Response:
        if b"llm_calls" in request.content:
            return httpx.Response(500)
        return httpx.Response(200, json=success({"metric": LABELS, "value": [1, "2"]}))

    found = await source(handle).current([TASKS, CALLS], [SUPPORT])
    assert isinstance(found[CALLS], Unavailable)
    assert not isinstance(found[TASKS], Unavailable)


@pytest.mark.asyncio
async def test_names_that_are_no_names_never_reach_the_server() -> None:
    handler = raising(AssertionError("asked"))
    bad = [CounterQuery('x{y="'), CounterQuery("x", "l) (y"), CounterQuery("")]
    found = await source(handler).current(bad, [SUPPORT])
    assert all(isinstance(answer, Unavailable) for answer in found.values())


@pytest.mark.asyncio
async def test_a_vector_in_answer_to_a_range_is_one_sample_of_each_series() -> None:
    asked = source(answering(success({"metric": LABELS, "value": [7, "2"]})))
    found = await asked.history([TASKS], [SUPPORT], since=NOW - timedelta(minutes=9), until=NOW)
    (one,) = found[TASKS][SUPPORT]  # type: ignore[index,misc]
    assert one.points == ((7, 2.0),)


@pytest.mark.asyncio
async def test_warnings_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    asked = source(answering(success(warnings=["a store didn't answer"])))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert await asked.current([TASKS], [SUPPORT]) == {TASKS: {}}
    assert caplog.text.count("a store didn't answer") == 1


@pytest.mark.asyncio
async def test_every_exchange_is_told_of() -> None:
    told: list[Exchange] = []
    await source(answering(success()), on_exchange=told.append).current([TASKS, CALLS], [SUPPORT])
    assert sorted(one.metric for one in told) == [CALLS.metric, TASKS.metric]
    assert all(one.error == "" and one.bytes > 20 and one.seconds >= 0 for one in told)
    await source(answering(b"", status=503), on_exchange=told.append).current([TASKS], [SUPPORT])
    assert "HTTP 503" in told[-1].error


@pytest.mark.asyncio
@pytest.mark.parametrize("refused", ["bytes", "samples"])
async def test_history_that_is_too_much_is_asked_for_in_halves(refused: str) -> None:
    agents = [AgentKey("shop", f"agent-{n}") for n in range(8)]
    asked: list[int] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        text = parse_qs(request.content.decode())["query"][0]
        named = [key for key in agents if f"{key.agent}|" in text or f'{key.agent}"' in text]
        asked.append(len(named))
        if len(named) > 2 and refused == "samples":
            body = {
                "status": "error",
                "errorType": "execution",
                "error": "would load too many samples into memory",
            }
            return httpx.Response(422, json=body)
        rows = [{"metric": LABELS | {"agent": key.agent}, "values": [[1, "2"]]} for key in named]
        padding = " " * (4_000 if len(named) > 2 else 0)
        return httpx.Response(200, content=json.dumps(success(*rows, kind="matrix")) + padding)

    source_of_small = source(handle, history_chunk=Budget(5.0, 4_000))
    found = await source_of_small.history([TASKS], agents, since=NOW - timedelta(minutes=9), until=NOW)
    assert set(found[TASKS]) == set(agents)  # type: ignore[arg-type]
    assert asked == [8, 4, 2, 2, 4, 2, 2]


@pytest.mark.asyncio
async def test_no_more_than_eight_queries_at_a_time() -> None:
    running, most = 0, 0

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return httpx.Response(200, json=success())

    many = [CounterQuery(f"metric_{n}") for n in range(40)]
    assert len(await source(handle).current(many, [SUPPORT])) == 40
    assert most == 8


@pytest.mark.asyncio
async def test_a_bundle_is_one_query_and_fails_as_one() -> None:
    asked: list[str] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        asked.append(parse_qs(request.content.decode())["query"][0])
        return httpx.Response(
            200, content=json.dumps(success({"metric": {**LABELS, "__counter__": "x"}, "value": [1, "2"]}))
        )

    bundle = (TASKS._replace(bundle="b"), CALLS._replace(bundle="b"))
    found = await source(handle).current([*bundle, TASKS], [SUPPORT])
    assert len(asked) == 2
    assert '__name__=~"agent_tasks_total|agent_llm_calls_total"' in asked[0]
    assert all(isinstance(found[query], Unavailable) for query in bundle)
