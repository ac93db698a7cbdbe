"""What comes back from an agent, judged: the pure part of every kind of connection."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from agent_load.row import Row, Verdict
from agent_load.truth import Question

VERSION_HEADER: Final = "x-routed-version"
COHORT_HEADER: Final = "x-agent-cohort"
SESSION_HEADER: Final = "x-agent-session"
SESSION_END_HEADER: Final = "x-agent-session-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A task on its way: who asks what, and when it left."""

    question: Question
    user: int
    session: int
    mode: Literal["http", "sse", "ws"]
    sent: float
    routed: float
    ends_session: bool

    def body(self) -> dict[str, Any]:
        """The JSON to send."""
        body: dict[str, Any] = {"text": self.question.text}
        if self.question.order:
            body["order"] = self.question.order
        if self.ends_session and self.mode == "ws":
            body["end_session"] = True
        return body


@dataclass(slots=True, kw_only=True)
class Received:
    """What came back so far; filled by the connection as it comes."""

    first_byte: float = math.nan
    status: int = 0
    headers: Mapping[str, str] | None = None
    text: str = ""
    error: str = ""


def settle(sent: Sent, received: Received, *, done: float) -> Row:
    """The row for the ledger."""
    body = _parse(received.text)
    headers = received.headers or {}
    label = str(body.get("label", ""))
    error = received.error or ("http" if received.status >= 400 else "")
    verdict: Verdict = "none"
    if label and not error:
        verdict = "right" if label == sent.question.expected else "wrong"
    return Row(
        sent=sent.sent,
        routed=sent.routed,
        first_byte=received.first_byte,
        done=done,
        user=sent.user,
        session=sent.session,
        mode=sent.mode,
        status=received.status,
        version=str(body.get("version", "")),
        routed_version=headers.get(VERSION_HEADER, ""),
        cohort=headers.get(COHORT_HEADER, ""),
        expected=sent.question.expected,
        label=label,
        error=error,
        verdict=verdict,
        ends_session=sent.ends_session,
    )


def _parse(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
