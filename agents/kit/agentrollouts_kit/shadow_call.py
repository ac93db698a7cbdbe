"""Asks the stable version a request once more, over plain `http.client`: one preflight, one request, one deadline.

The preflight (`OPTIONS` of the same path) is what makes it safe. Whoever answers must say that it answers shadows; an agent
that has never heard of them says nothing, and is then not asked, because it would do again what the user asked for once.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from agentrollouts_kit.capture import MAX_ANSWER_BYTES, Answer, Request
from agentrollouts_kit.context import SHADOW_HEADER

ANSWERS: Final = "answers"
"""The value of the shadow header in the answer to a preflight, where shadows are answered."""


class ShadowRefusedError(Exception):
    """Whoever is at the URL does not say that it answers shadows."""


class ShadowFailedError(Exception):
    """No whole answer of status 2xx came in time."""


def ask_stable(url: str, request: Request, *, cohort: str, timeout_seconds: float) -> Answer:
    """The stable version's answer. Raises ShadowRefusedError or ShadowFailedError."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    call = _Call(kind(parts.hostname or "", parts.port, timeout=timeout_seconds), timeout_seconds)
    mark = (SHADOW_HEADER, cohort)
    prefix = parts.path.rstrip("/")
    asked = request._replace(target=prefix + request.target, headers=(*request.headers, mark))
    try:
        _, response = call.exchange(asked._replace(method="OPTIONS", headers=(mark,), body=b""))
        if response.getheader(SHADOW_HEADER) != ANSWERS:
            raise ShadowRefusedError(
                f"{url} does not say that it answers shadows (status {response.status}): let the stable version's "
                "agent answer them (AGENT_SHADOW_ANSWERS) and the router let them through (router.shadows)"
            )
        body, response = call.exchange(asked)
    except (OSError, HTTPException, ValueError) as error:
        raise ShadowFailedError(f"no answer from {url}: {type(error).__name__}: {error}") from error
    finally:
        call.close()
    if response.status // 100 != 2 or response.getheader("content-encoding", "identity") != "identity":
        raise ShadowFailedError(f"expected a plain answer of status 2xx from {url}, got {response.status}")
    return Answer(body, response.getheader("content-type", ""))


class _Call:
    """Exchanges over one connection. All of them have to be over in time: a socket's own timeout begins anew with each byte."""

    def __init__(self, connection: HTTPConnection, timeout_seconds: float) -> None:
        self._connection = connection
        self._line: socket.socket | None = None
        self._late = threading.Event()
        self._alarm = threading.Timer(timeout_seconds, self._cut)
        self._alarm.daemon = True
        self._alarm.start()

    def exchange(self, request: Request) -> tuple[bytes, HTTPResponse]:
        connection = self._connection
        if connection.sock is None:
            connection.connect()
        # NB: kept, since the connection forgets its socket when the answer says that it closes.
        self._line = connection.sock
        connection.request(request.method, request.target, request.body or None, dict(request.headers))
        response = connection.getresponse()
        body = response.read(MAX_ANSWER_BYTES + 1)
        if self._late.is_set():
            raise TimeoutError("the time for a shadow is over")
        # NB: `length` is what a body that was read in part still lacks; a chunked one has raised by now.
        if len(body) > MAX_ANSWER_BYTES or response.length:
            raise ValueError(f"expected a whole answer of at most {MAX_ANSWER_BYTES} bytes")
        return body, response

    def close(self) -> None:
        self._alarm.cancel()
        self._connection.close()

    def _cut(self) -> None:
        self._late.set()
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
