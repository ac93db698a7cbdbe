"""One sampled request, while it is answered: what came in and what went out, so that it can be asked again.

It only looks on: every message goes through unchanged and at once. Of a request or an answer beyond its limit, nothing is
kept.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from agentrollouts_kit.tally import Session

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_REQUEST_BYTES: Final = 262_144
MAX_ANSWER_BYTES: Final = 1_048_576
ALWAYS_PASSED_ON: Final = ("accept", "content-type")
"""Request headers that say how to read the body and how to answer. Others may name the user, and go only by consent."""


class Request(NamedTuple):
    """What is asked again; `target` is path and query."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Answer(NamedTuple):
    """The body of a successful answer, and what it says it is."""

    body: bytes
    content_type: str


class Onlooker:
    """Looks on at one HTTP request: takes down both bodies, and how the answer began."""

    def __init__(
        self, scope: MutableMapping[str, Any], *, max_request_bytes: int, max_answer_bytes: int
    ) -> None:
        self._scope = scope
        self._request, self._answer = CapturedBody(max_request_bytes), CapturedBody(max_answer_bytes)
        self._start: Message = {}

    def watch_receive(self, receive: Receive) -> Receive:
        """Receive for the app."""

        async def watched() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self._request.add(message)
            return message

        return watched

    def watch_send(self, send: Send) -> Send:
        """Send for the app."""

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                self._start = message
            elif message["type"] == "http.response.body":
                self._answer.add(message)

        return watched


class Capture(Onlooker):
    """What is asked again. `headers` are the names of those that may be sent again."""

    def __init__(self, scope: MutableMapping[str, Any], *, headers: Collection[str]) -> None:
        super().__init__(scope, max_request_bytes=MAX_REQUEST_BYTES, max_answer_bytes=MAX_ANSWER_BYTES)
        self._names = {name.lower().encode() for name in (*ALWAYS_PASSED_ON, *headers)}
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._over = False

    def claim(self, hold: Callable[[], Session | None]) -> None:
        """Of the tasks of a request the first whose `hold` gives a session gets the score; none once it is over."""
        with self._lock:
            if not self._over and self._session is None:
                self._session = hold()

    def end(self) -> Session | None:
        """The request has been answered. The session that waits for a score, if any; from here on none can."""
        with self._lock:
            self._over = True
            return self._session

    def request(self) -> Request | None:
        """The request to be asked again; None when the app did not read it to its end, or it was too large."""
        body, scope = self._request.whole(), self._scope
        if body is None:
            return None
        path = (scope.get("raw_path") or quote(scope["path"]).encode()).partition(b"?")[0]
        query = scope.get("query_string") or b""
        target = (path + b"?" + query if query else path).decode("latin-1")
        headers = [(name, value) for name, value in scope["headers"] if name in self._names]
        text = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
        return Request(scope["method"], target, text, body)

    def answer(self) -> Answer | None:
        """What was answered; None unless it was whole, of status 2xx, not compressed and not too large."""
        body = self._answer.whole()
        headers = {name.lower(): value.decode("latin-1") for name, value in self._start.get("headers", ())}
        if body is None or self._start.get("status", 0) // 100 != 2 or b"content-encoding" in headers:
            return None
        return Answer(body, headers.get(b"content-type", ""))


class CapturedBody:
    """A body in pieces, up to a limit in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._complete = False
        self.size = 0
        """Of what has passed so far, in bytes."""

    @property
    def fits(self) -> bool:
        """Whether it is within the limit so far."""
        return self.size <= self._limit

    def add(self, message: Message) -> None:
        """The next piece."""
        piece = message.get("body", b"")
        self.size += len(piece)
        if self.fits:
            self._pieces.append(piece)
        else:
            self._pieces.clear()
        self._complete = not message.get("more_body", False)

    def whole(self) -> bytes | None:
        """The body; None when it was too large, or hasn't come to its end."""
        return b"".join(self._pieces) if self._complete and self.fits else None
