from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agent_load.http1 import Pool, Response, TransportError


class Server:
    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.url = ""


@asynccontextmanager
async def answering(answer: bytes, *, hang_up: bool = False) -> AsyncIterator[Server]:
    state = Server()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                state.requests.append(head + await reader.readexactly(2))
                writer.write(answer)
                if hang_up:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base"
    yield state
    server.close()


async def post(pool: Pool) -> Response:
    response = Response()
    await pool.post("/x", headers={"x-user-id": "u"}, body=b"{}", response=response)
    return response


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, b"hello"),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", 503, b""),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\na: b\r\n\r\n",
            200,
            b"hello",
        ),
    ],
)
async def test_responses_and_the_reuse_of_connections(answer, status, body):
    async with answering(answer) as server:
        pool = Pool(server.url)
        for _ in range(3):
            response = await post(pool)
            assert (response.status, bytes(response.body)) == (status, body)
        assert server.connections == 1
        assert server.requests[0].startswith(b"POST /base/x HTTP/1.1\r\nhost: 127.0.0.1:")
        assert b"x-user-id: u\r\n" in server.requests[0]
        pool.close()


@pytest.mark.asyncio
async def test_a_connection_that_is_to_close_is_not_used_again():
    async with answering(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n") as server:
        pool = Pool(server.url)
        await post(pool)
        await post(pool)
        assert server.connections == 2


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n",
    ],
)
async def test_half_a_response_is_a_reset(answer):
    async with answering(answer, hang_up=True) as server:
        pool = Pool(server.url)
        with pytest.raises(TransportError) as caught:
            await post(pool)
        assert caught.value.kind == "reset"


@pytest.mark.asyncio
async def test_what_came_before_the_break_is_known():
    async with answering(
        b"HTTP/1.1 200 OK\r\nx-routed-version: 2.0.0\r\ncontent-length: 9\r\n\r\n", hang_up=True
    ) as server:
        response = Response()
        with pytest.raises(TransportError):
            await Pool(server.url).post("/x", headers={}, body=b"{}", response=response)
        assert response.headers["x-routed-version"] == "2.0.0"
        assert response.status == 200


@pytest.mark.asyncio
async def test_an_answer_that_nobody_waited_for_is_not_given_to_the_next():
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        late = not asked.is_set()
        asked.set()
        if late:
            await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n" + (b"late" if late else b"next"))

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    pool = Pool(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    first = asyncio.create_task(post(pool))
    await asked.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    go_on.set()
    assert bytes((await post(pool)).body) == b"next"
    pool.close()
    server.close()
