"""What the API server's answer means: the body of a success, or one of the ports' four exceptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentrollouts.ports import ConflictError, GoneError, TerminalError, TransientError

RETRIED = frozenset({429, 500, 502, 503, 504})
"""Statuses of a server that may serve the same request a moment later."""
MAX_MESSAGE = 1024
"""Characters kept of a server's message: it ends up in a condition."""


def parsed(body: bytes) -> Mapping[str, Any]:
    """The JSON object in a body, or an empty one: proxies answer with pages."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def message_of(body: bytes) -> str:
    """The server's own sentence, from its Status object or else the start of the body."""
    sentence = parsed(body).get("message") or body[:MAX_MESSAGE].decode("utf-8", "replace")
    return str(sentence)[:MAX_MESSAGE]


def failure(status: int, body: bytes, *, request: str) -> Exception:
    """The exception that a refusal means.

    A namespace that is being deleted answers 403 to creations: its objects are as good as gone. 401 is transient,
    because tokens are re-read from their file, and a rotated one works at the next try.
    """
    text = f"{request}: {status} {message_of(body)}"
    if status == 409:
        return ConflictError(text)
    if status in {404, 410} or (status == 403 and _namespace_is_terminating(body)):
        return GoneError(text)
    if status in RETRIED or status in {401, 408} or status >= 500:
        return TransientError(text)
    return TerminalError(text)


def retry_after(headers: Mapping[str, str], *, otherwise: float) -> float:
    """Seconds the server asked to wait. Dates (RFC 9110 allows them, the API server sends none) count as ``otherwise``."""
    try:
        return max(0.0, float(headers.get("Retry-After", otherwise)))
    except ValueError:
        return otherwise


def _namespace_is_terminating(body: bytes) -> bool:
    details = parsed(body).get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return any(
        isinstance(cause, dict) and cause.get("reason") == "NamespaceTerminating" for cause in causes or ()
    )
