"""What a connection makes of a server's answers: retries, pauses, lanes and the four exceptions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from agentrollouts.kube.connection import IN_FLIGHT, Connection, Request
from agentrollouts.ports import ConflictError, GoneError, TerminalError, TransientError

PATCH = Request("PATCH", "/api/v1/namespaces/shop/services/support", [], "application/json-patch+json")
GET = Request("GET", "/api/v1/namespaces/shop/services/support")
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """Answers as told, the last answer for ever; remembers what came and how long it was asked to be left alone."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def connect(self, *, timeout: float = 5.0, urgent_first: float = 5.0) -> Connection:
        configuration = Configuration(host=self.url)
        return Connection(configuration, timeout=timeout, urgent_first=urgent_first, pause=self.pause)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


def says(status: int, body: object = None, **headers: str) -> Answer:
    text = (
        body
        if isinstance(body, str)
        else json.dumps(body if body is not None else {"message": f"no {status}"})
    )

    async def answer(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers=named)

    return answer


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def never(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def raised(server: Server, *answers: Answer, within: float = 5.0) -> Exception:
    server.answers = list(answers)
    connection = server.connect(timeout=within)
    try:
        with pytest.raises((ConflictError, GoneError, TerminalError, TransientError)) as caught:
            await connection.send(GET)
        return caught.value
    finally:
        await connection.close()


TERMINATING = {
    "message": "ending",
    "reason": "Forbidden",
    "details": {"causes": [{"reason": "NamespaceTerminating"}]},
}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (409, None, ConflictError),
        (404, None, GoneError),
        (410, None, GoneError),
        (403, TERMINATING, GoneError),
        (403, None, TerminalError),
        (403, {"details": []}, TerminalError),
        (400, None, TerminalError),
        (413, "<html>too large</html>", TerminalError),
        (415, "[]", TerminalError),
        (422, None, TerminalError),
        (401, None, TransientError),
        (408, None, TransientError),
        (501, None, TransientError),
    ],
)
async def test_each_refusal_is_one_of_four_exceptions_after_one_try(
    server: Server, status: int, body: object, expected: type[Exception]
) -> None:
    error = await raised(server, says(status, body))
    assert type(error) is expected
    assert str(status) in str(error) and "GET /api/v1/namespaces/shop/services/support" in str(error)
    assert len(server.requests) == 1


@pytest.mark.asyncio
async def test_the_servers_sentence_is_kept_and_bounded(server: Server) -> None:
    error = await raised(server, says(422, {"message": "spec.port must be at least 10000" + "x" * 9_000}))
    assert "spec.port must be at least 10000" in str(error)
    assert len(str(error)) < 1_200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "failing", [says(429), says(500), says(502, "<html>"), says(503), says(504), hangs_up]
)
async def test_a_moments_trouble_is_tried_once_more(server: Server, failing: Answer) -> None:
    server.answers = [failing, says(200, {"kind": "Service"})]
    connection = server.connect()
    assert await connection.send(PATCH) == {"kind": "Service"}
    await connection.close()
    assert len(server.requests) == 2 and len(server.pauses) == 1


@pytest.mark.asyncio
async def test_what_is_no_object_comes_as_it_is_or_as_the_same_exceptions(server: Server) -> None:
    server.answers = [says(502), says(200, '{"a": 1}\nPASS: ä\n'), says(404)]
    connection = server.connect()
    log = Request("GET", "/api/v1/namespaces/shop/pods/support/log?container=proof")
    assert await connection.text(log) == '{"a": 1}\nPASS: ä\n'
    with pytest.raises(GoneError):
        await connection.text(log)
    await connection.close()


@pytest.mark.asyncio
async def test_trouble_that_stays_is_transient_after_two_tries(server: Server) -> None:
    assert type(await raised(server, says(503))) is TransientError
    assert len(server.requests) == 2
    assert type(await raised(server, hangs_up)) is TransientError


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("0", 0.0), ("Fri, 20 Nov 2026 14:00:00 GMT", 0.2)]
)
async def test_the_server_says_how_long_to_wait(server: Server, header: str, seconds: float) -> None:
    await raised(server, says(429, Retry_After=header), says(400))
    assert server.pauses == [seconds]


@pytest.mark.asyncio
async def test_a_silent_server_is_transient_when_the_time_is_over(server: Server) -> None:
    error = await raised(server, never, within=0.2)
    assert type(error) is TransientError


@pytest.mark.asyncio
async def test_nobody_there_is_transient() -> None:
    connection = Connection(Configuration(host="http://127.0.0.1:1"), timeout=1)
    with pytest.raises(TransientError, match="not reachable"):
        await connection.send(GET)
    await connection.close()


@pytest.mark.asyncio
async def test_an_urgent_write_never_waits_for_ordinary_ones(server: Server) -> None:
    arrived = asyncio.Semaphore(0)
    ended = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            arrived.release()
            await ended.wait()
        return web.json_response({})

    server.answers = [slow]
    connection = server.connect()
    post = Request("POST", "/api/v1/namespaces/shop/services", {})
    ordinary = [asyncio.create_task(connection.send(post)) for _ in range(3 * IN_FLIGHT["ordinary"])]
    for _ in range(IN_FLIGHT["ordinary"]):
        await arrived.acquire()
    assert len(server.requests) == IN_FLIGHT["ordinary"]
    await connection.send(Request("PATCH", "/apis/x/y", {}, "application/merge-patch+json"), lane="urgent")
    assert [request.method for request in server.requests].count("PATCH") == 1
    assert arrived.locked()
    ended.set()
    await asyncio.gather(*ordinary)
    await connection.close()


@dataclass
class Beside:
    """An urgent write that is under way, and an ordinary one sent after it."""

    urgent: asyncio.Task[object]
    ordinary: asyncio.Task[object]
    ended: asyncio.Event


@asynccontextmanager
async def beside(server: Server, *, urgent_first: float) -> AsyncIterator[Beside]:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        if request.method == "PATCH":
            arrived.set()
            await ended.wait()
        return web.json_response({})

    server.answers = [slow]
    connection = server.connect(urgent_first=urgent_first)
    urgent = asyncio.create_task(connection.send(PATCH, lane="urgent"))
    await arrived.wait()
    yield Beside(urgent, asyncio.create_task(connection.send(GET)), ended)
    await connection.close()


@pytest.mark.asyncio
async def test_an_ordinary_write_lets_an_urgent_one_go_first(server: Server) -> None:
    async with beside(server, urgent_first=60) as both:
        other = server.connect()
        for _ in range(5):  # as long as the ordinary one would take, several times over
            await other.send(GET)
        await other.close()
        assert not both.ordinary.done()
        both.ended.set()
        await asyncio.gather(both.urgent, both.ordinary)


@pytest.mark.asyncio
async def test_an_urgent_write_that_hangs_holds_nobody_up_for_long(server: Server) -> None:
    async with beside(server, urgent_first=0.01) as both:
        await both.ordinary
        assert not both.urgent.done()
        both.ended.set()
        await both.urgent
