"""The replayer's own endpoint, from which an agent in replay mode fetches what its tools answered, and to which it tells what it did.

An agent knows the address by ``AGENT_REPLAY_URL``, from its environment and never from a request, so nobody can send it elsewhere. A request
brings only a token. The agent asks back, and is not sent the record along, since that works for any agent: a header is too small for a
record, a body is the agent's own, and several replicas or processes behind one address would each need it. A token is for one attempt and
can't be guessed; once the attempt is over it opens nothing.

::

    GET  /v1/replays/<token>    {"task": "…", "calls": [{"name", "arguments", "result", "error"}]}
    POST /v1/replays/<token>    the kit's report of the attempt
    GET  /v1/progress           {"done": 120, "total": 400}
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from pydantic import ValidationError

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.attempt import Told
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.plan import is_truncated
from agentrollouts.replay.progress import PATH as PROGRESS
from agentrollouts.replay.progress import body_of

PREFIX = "/v1/replays/"
_MOST_BYTES = 8 * 1_048_576
"""Of a report: more than the kit's own bounds let it grow to."""
_SECONDS = 30.0


class Open(NamedTuple):
    """An attempt under way. ``fetched``: the agent has asked for its record, which it does before anything else."""

    token: str
    record: bytes
    told: asyncio.Future[Told]
    loop: asyncio.AbstractEventLoop
    fetched: threading.Event


class Knock(NamedTuple):
    """A token that opens nothing, and whether somebody came with it."""

    token: str
    heard: threading.Event


class Recordings:
    """Serves what the tools answered, from threads of its own, while it is entered."""

    def __init__(self, host: str, port: int) -> None:
        """Bind. Port 0: any that is free.

        Raises:
            ReplayError: the address can't be had.
        """
        self._open: dict[str, Open] = {}
        self._knocks: dict[str, Knock] = {}
        self.progress = 0, 0
        """Answers that are in, and how many there will be; anybody may know."""
        handler = type("Handler", (_Handler,), {"recordings": self})
        try:
            self._server = _Server((host, port), handler)
        except OSError as error:
            raise ReplayError(
                f"--listen: can't serve recordings on {host}:{port}: {error.strerror}; name another port"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @contextmanager
    def attempt(self, record: TaskRecord) -> Iterator[Open]:
        """One attempt: its token opens the record until the block is left."""
        loop = asyncio.get_running_loop()
        found = Open(secrets.token_hex(16), recording(record), loop.create_future(), loop, threading.Event())
        self._open[found.token] = found
        try:
            yield found
        finally:
            del self._open[found.token]

    @contextmanager
    def knock(self) -> Iterator[Knock]:
        """Whether an agent finds its way here: it can't tell this token from another one until it comes with it."""
        found = Knock(secrets.token_hex(16), threading.Event())
        self._knocks[found.token] = found
        try:
            yield found
        finally:
            del self._knocks[found.token]

    def find(self, token: str) -> Open | None:
        """The attempt of a token."""
        if (knock := self._knocks.get(token)) is not None:
            knock.heard.set()
        return self._open.get(token)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def recording(record: TaskRecord) -> bytes:
    """What the kit gets of a record: the calls whose answer is known.

    One without arguments, or with a result that was too large for the record, answers nothing.
    """
    calls = [
        {"name": call.name, "arguments": call.arguments, "result": call.result, "error": call.error}
        for call in record.tool_calls
        if call.arguments is not None and not is_truncated(call.arguments) and not is_truncated(call.result)
    ]
    return json.dumps({"task": record.id, "calls": calls}, ensure_ascii=False).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # NB: no reverse look-up of the host's own name, which may take seconds.
    allow_reuse_address = True

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    recordings: Recordings
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS

    def do_GET(self) -> None:
        if self.path == PROGRESS:
            self._answer(200, body_of(*self.recordings.progress))
            return
        found = self._found()
        if found is None:
            self._answer(404, b'{"error": "no attempt with this token is under way"}')
        else:
            found.fetched.set()
            self._answer(200, found.record)

    def do_POST(self) -> None:
        found, body = self._found(), self._body()
        if found is None or body is None:
            self._answer(
                404 if found is None else 413, b'{"error": "no report of an attempt that is under way"}'
            )
            return
        try:
            told = Told.model_validate_json(body)
        except ValidationError as error:
            self._answer(400, json.dumps({"error": str(error)[:500]}).encode())
            return
        found.loop.call_soon_threadsafe(_settle, found.told, told)
        self._answer(204, b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a token in a log would open a record."""

    def _found(self) -> Open | None:
        if not self.path.startswith(PREFIX):
            return None
        return self.recordings.find(self.path.removeprefix(PREFIX))

    def _body(self) -> bytes | None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _settle(future: asyncio.Future[Told], told: Told) -> None:
    if not future.done():
        future.set_result(told)
