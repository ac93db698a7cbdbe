"""The middleware hands the router's headers on and stays out of the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

import httpx
import pytest

from agentrollouts_kit import (
    OutcomeMiddleware,
    Reporter,
    close_session,
    propagate,
    propagate_async,
    propagation_headers,
    task,
)
from tests.kit.reading import Reading

HEADERS = {"x-agent-cohort": "control", "x-agent-session": "ann", "x-agent-stain": "checkout=control"}
Message = MutableMapping[str, Any]


async def answering(scope: Any, receive: Any, send: Any) -> None:
    with task() as t:
        t.fail() if scope["path"] == "/wrong" else t.success()
    body = repr(propagation_headers()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def get(app: Any, path: str = "/", headers: dict[str, str] | None = None) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://agent") as client:
        return await client.get(path, headers=headers or {})


@pytest.mark.asyncio
async def test_tasks_of_a_request_count_for_its_cohort_and_session_whatever_the_status(
    reporter: Reporter,
) -> None:
    app = OutcomeMiddleware(answering, reporter)
    await get(app, "/", HEADERS)
    await get(app, "/wrong", HEADERS)
    await get(app, "/")
    reading = Reading.of(reporter)
    assert reading("agent_tasks_total", cohort="control", outcome="success") == 1
    assert reading("agent_tasks_total", cohort="control", outcome="failure") == 1
    assert reading("agent_sessions_assigned_total", cohort="control") == 1
    assert reading("agent_tasks_total", cohort="none") == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("cohort", ["Candidate", "canary", "", "none"])
async def test_a_cohort_that_is_none_of_ours_counts_as_none(reporter: Reporter, cohort: str) -> None:
    await get(OutcomeMiddleware(answering, reporter), headers={**HEADERS, "x-agent-cohort": cohort})
    assert Reading.of(reporter)("agent_tasks_total", cohort="none") == 1


@pytest.mark.asyncio
async def test_session_and_stain_travel_on_to_other_agents(reporter: Reporter) -> None:
    answer = await get(OutcomeMiddleware(answering, reporter), headers=HEADERS)
    assert answer.text == repr({"x-agent-session": "ann", "x-agent-stain": "checkout=control"})
    assert propagation_headers() == {}


@pytest.mark.asyncio
async def test_the_httpx_hooks_put_the_headers_on_requests(reporter: Reporter) -> None:
    seen: list[str | None] = []

    def downstream(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("x-agent-stain"))
        return httpx.Response(200)

    async def calling(scope: Any, receive: Any, send: Any) -> None:
        transport = httpx.MockTransport(downstream)
        async with httpx.AsyncClient(
            transport=transport, event_hooks={"request": [propagate_async]}
        ) as client:
            await client.get("http://billing")
        with httpx.Client(transport=transport, event_hooks={"request": [propagate]}) as client:
            client.get("http://billing")
        await answering(scope, receive, send)

    await get(OutcomeMiddleware(calling, reporter), headers=HEADERS)
    await get(OutcomeMiddleware(calling, reporter))
    assert seen == ["checkout=control", "checkout=control", None, None]


@pytest.mark.asyncio
async def test_the_session_end_header_closes_the_session(reporter: Reporter) -> None:
    app = OutcomeMiddleware(answering, reporter)
    await get(app, headers=HEADERS)
    await get(app, headers={**HEADERS, "x-agent-session-end": "True"})
    reading = Reading.of(reporter)
    assert reading("agent_sessions_closed_total", reason="explicit", cohort="control") == 1
    assert reading("agent_session_success_fraction_total", cohort="control") == 1
    await get(app, headers={**HEADERS, "x-agent-session-end": "false"})
    assert reporter.ledger.open_sessions == 1


def test_the_reporter_of_the_middleware_counts_background_jobs_too(reporter: Reporter) -> None:
    OutcomeMiddleware(answering, reporter)
    with task():
        pass
    assert Reading.of(reporter)("agent_tasks_total") == 1


@pytest.mark.asyncio
async def test_close_session_within_a_request(reporter: Reporter) -> None:
    async def goodbye(scope: Any, receive: Any, send: Any) -> None:
        close_session()
        await answering(scope, receive, send)

    await get(OutcomeMiddleware(answering, reporter), headers=HEADERS)
    await get(OutcomeMiddleware(goodbye, reporter), headers=HEADERS)
    reading = Reading.of(reporter)
    assert reading("agent_sessions_closed_total", reason="explicit") == 1
    assert reading("agent_sessions_assigned_total") == 2


@pytest.mark.asyncio
async def test_an_exception_of_the_app_passes_through_and_the_context_ends_with_the_request(
    reporter: Reporter,
) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        with task():
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        await get(OutcomeMiddleware(broken, reporter), headers=HEADERS)
    assert propagation_headers() == {}
    assert Reading.of(reporter)("agent_tasks_total", cohort="control", outcome="failure") == 1


async def run_lifespan(app: Any) -> list[str]:
    to_app: asyncio.Queue[Message] = asyncio.Queue()
    said: list[str] = []

    async def send(message: Message) -> None:
        said.append(message["type"])
        if message["type"] == "lifespan.startup.complete":
            await to_app.put({"type": "lifespan.shutdown"})

    await to_app.put({"type": "lifespan.startup"})
    await app({"type": "lifespan", "asgi": {"version": "3.0"}}, to_app.get, send)
    return said


async def raising(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"


async def returning(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return


async def taking_part(scope: Any, receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


@pytest.mark.asyncio
@pytest.mark.parametrize("app", [raising, returning, taking_part])
async def test_stopping_drains_whether_or_not_the_app_knows_the_lifespan(
    make_reporter: Callable[..., Reporter], app: Any, in_request: Callable[..., None]
) -> None:
    reporter = make_reporter(drain_seconds=0)
    in_request()
    with task(reporter=reporter):
        pass
    said = await run_lifespan(OutcomeMiddleware(app, reporter))
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert Reading.of(reporter)("agent_sessions_closed_total", reason="idle") == 1


@pytest.mark.asyncio
async def test_a_start_that_fails_is_the_apps_to_tell(reporter: Reporter) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError, match="no database"):
        await run_lifespan(OutcomeMiddleware(failing, reporter))
