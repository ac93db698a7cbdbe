"""Talks to the replayer, over plain `http.client`: what a task's tools answered then, and what the agent did now.

Where the replayer is, `AGENT_REPLAY_URL` says and no request ever does: a request brings a token, which opens one record there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

MAX_RECORD_BYTES: Final = 1_048_576
_TOKEN = re.compile("[0-9a-f]{32}")
_TIMEOUT_SECONDS: Final = 10.0
_TRIES: Final = 3


class ReplayFailedError(Exception):
    """The replayer can't be reached, or knows nothing of the token."""


def is_token(text: str) -> bool:
    """Whether a header may be put into a path."""
    return _TOKEN.fullmatch(text) is not None


def fetch_calls(url: str, token: str) -> Sequence[Mapping[str, Any]]:
    """The recorded calls of an attempt. Raises ReplayFailedError."""
    body = _exchange("GET", url, token)
    try:
        calls = json.loads(body)["calls"]
        assert all(isinstance(call, dict) for call in calls)
    except (ValueError, LookupError, TypeError, AssertionError, RecursionError) as error:
        raise ReplayFailedError(f"expected a record from {url}; got {body[:80]!r}") from error
    return calls  # type: ignore[no-any-return]


def send_report(url: str, token: str, report: Mapping[str, object]) -> None:
    """What the agent did. Raises ReplayFailedError."""
    # NB: half of a surrogate pair, which Python's strings can hold, is no character, and the replayer would take none of it.
    _exchange("POST", url, token, json.dumps(report, ensure_ascii=False).encode("utf-8", "replace"))


def _exchange(method: str, url: str, token: str, body: bytes | None = None) -> bytes:
    """Tried again where the connection breaks: both requests may come twice."""
    for tries in range(1, _TRIES + 1):
        try:
            return _once(method, url, token, body)
        except (OSError, HTTPException) as error:
            if tries == _TRIES:
                raise ReplayFailedError(
                    f"no answer from the replayer at {url}: {type(error).__name__}: {error}; is AGENT_REPLAY_URL right?"
                ) from error
    raise AssertionError("unreachable")


def _once(method: str, url: str, token: str, body: bytes | None) -> bytes:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request(
            method,
            f"{parts.path.rstrip('/')}/v1/replays/{token}",
            body,
            {"content-type": "application/json"},
        )
        response = connection.getresponse()
        answer = response.read(MAX_RECORD_BYTES + 1)
    finally:
        connection.close()
    if response.status // 100 != 2 or len(answer) > MAX_RECORD_BYTES:
        raise ReplayFailedError(
            f"the replayer at {url} answered {response.status}: {answer[:200].decode('utf-8', 'replace')}"
        )
    return answer
