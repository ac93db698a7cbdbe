"""What the task ledger gets of a task: taken down while it runs, written as JSON later, in a thread of its own.

While a task runs, what the agent hands over is copied down to its strings, which never change, and no further: a list that
grows afterwards is told as it was. The copy is bounded, so a huge value costs the agent no more than a large one.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from agentrollouts_kit.answer_text import answer_text
from agentrollouts_kit.identity import Identity
from agentrollouts_kit.keys import key_digest
from agentrollouts_kit.room import MAX_RECORD_BYTES, Room, truncated
from agentrollouts_kit.vocabulary import COHORTS, EVENTS, FEEDBACK, OUTCOMES

MAX_TOOL_CALLS: Final = 256
_MAX_NAME, _MAX_ERROR = 128, 1024
_MAX_DOLLARS: Final = 999_999_999.0
_CAN_BE_CUT: Final = ("input", "output", "expected")


class Body(NamedTuple):
    """The body of an HTTP message. It is read when the record is written."""

    content: bytes
    content_type: str


ABSENT: Final = object()
"""Of an input or output that nobody has told."""


_Call = tuple[str, object, object, str | None, float | None]
_CALL: Final = ("name", "arguments", "result", "error", "durationSeconds")
"""What a record calls the parts of a `_Call`."""


@dataclass(slots=True, eq=False)
class Draft:
    """The record of one task, while it runs and until it is written. `started` and `finished` in seconds since 1970."""

    id: str
    cohort: int
    session: str | None
    shadow: bool
    started: float = field(default_factory=time.time)
    finished: float = 0.0
    outcome: int = 0
    input: object = ABSENT
    output: object = ABSENT
    expected: object = None
    calls: list[_Call] = field(default_factory=list)
    calls_left_out: bool = False
    events: frozenset[int] = frozenset()
    cost_usd: float = 0.0
    llm_calls: int = 0
    refusal: bool = False
    room: Room = field(default_factory=Room)

    def add_call(
        self,
        name: str,
        *,
        arguments: object,
        result: object,
        error: str | None,
        duration_seconds: float | None,
    ) -> None:
        """One call of a tool. Those beyond the 256th are left out."""
        if len(self.calls) == MAX_TOOL_CALLS:
            self.calls_left_out = True
            return
        copy = self.room.copy
        self.calls.append(
            (
                str(name)[:_MAX_NAME] or "unnamed",
                copy(arguments),
                copy(result),
                None if error is None else str(error)[:_MAX_ERROR],
                None if duration_seconds is None else _duration(duration_seconds),
            )
        )


def _duration(seconds: float) -> float | None:
    known = isinstance(seconds, (int, float)) and math.isfinite(seconds)
    return max(0.0, float(seconds)) if known else None


class Written(NamedTuple):
    """A record as one line of JSON; `cut`: it was too large, and something of it is left out."""

    line: bytes
    cut: bool


def write(draft: Draft, identity: Identity) -> Written:
    """The record as the ledger takes it: at most MAX_RECORD_BYTES, with sorted keys and no spaces."""
    bodies = Room(values=MAX_RECORD_BYTES)
    record = _document(draft, identity, bodies)
    line = _encoded(record)
    cut = draft.calls_left_out or draft.room.cut or bodies.cut
    if (excess := len(line) - MAX_RECORD_BYTES) > 0:
        _cut(record, excess)
        return Written(_encoded(record), cut=True)
    return Written(line, cut)


def _document(draft: Draft, identity: Identity, bodies: Room) -> dict[str, Any]:
    return {
        "id": draft.id,
        "namespace": identity.namespace,
        "agent": identity.agent,
        "version": identity.version,
        "digest": identity.release_digest,
        "cohort": COHORTS[draft.cohort],
        "session": ""
        if draft.session is None
        else "".join(f"{part:013x}" for part in key_digest(draft.session)),
        "startedAt": _time(draft.started),
        "finishedAt": _time(draft.finished),
        "outcome": OUTCOMES[draft.outcome],
        "input": _value(draft.input, bodies),
        "output": _value(draft.output, bodies),
        "toolCalls": [dict(zip(_CALL, call, strict=True)) for call in draft.calls],
        "expected": draft.expected,
        "feedback": [event for event in FEEDBACK if EVENTS.index(event) in draft.events],
        "costDollars": _dollars(draft.cost_usd),
        "llmCalls": draft.llm_calls,
        "refusal": draft.refusal,
        "shadow": draft.shadow,
    }


def _cut(record: dict[str, Any], excess: int) -> None:
    """Let go of the largest values, then of the last calls of tools, until `excess` bytes are gone."""
    places = [(record, name) for name in _CAN_BE_CUT]
    places += [(call, name) for call in record["toolCalls"] for name in ("arguments", "result")]
    sizes = [(len(_encoded(holder[name])), holder, name) for holder, name in places]
    for size, holder, name in sorted(sizes, key=lambda found: found[0], reverse=True):
        gained = size - len(_encoded(truncated(size)))
        if excess <= 0 or gained <= 0:
            break
        holder[name] = truncated(size)
        excess -= gained
    while excess > 0:
        excess -= len(_encoded(record["toolCalls"].pop())) + len(",")


def _value(value: object, bodies: Room) -> object:
    if value is ABSENT:
        return None
    return _content(value, bodies) if isinstance(value, Body) else value


def _content(body: Body, bodies: Room) -> object:
    """JSON as what it says, text as it is, the data of an event stream put together; None for everything else."""
    kind = body.content_type.partition(";")[0].strip().lower()
    if not body.content:
        return None
    if kind == "application/json" or kind.endswith("+json"):
        try:
            # NB: through a `Room`, since what a user sends may be as deep and have as large numbers as they like.
            return bodies.copy(json.loads(body.content), size=len(body.content))
        except (ValueError, RecursionError):
            kind = "text/plain"
    if kind in ("", "application/x-www-form-urlencoded"):
        kind = "text/plain"
    return answer_text(body.content, kind)


_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _encoded(value: object) -> bytes:
    text = _ENCODER.encode(value)
    # NB: half of a surrogate pair, which Python's strings can hold, is no character.
    return text.encode("utf-8", "replace")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _dollars(usd: float) -> str | None:
    """A decimal number; None where no cost was told."""
    return f"{min(usd, _MAX_DOLLARS):.9f}".rstrip("0").rstrip(".") if usd else None
