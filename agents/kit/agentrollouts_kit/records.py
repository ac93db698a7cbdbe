"""What the task ledger gets of a task: taken down while it runs, written as JSON later, in a thread of its own.

While a task runs, what the agent hands over is copied down to its strings, which never change, and no further: a list that
grows afterwards is told as it was. The copy is bounded, so a huge value costs the agent no more than a large one.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from agentrollouts_kit.answer_text import answer_text
from agentrollouts_kit.identity import Identity
from agentrollouts_kit.keys import key_digest
from agentrollouts_kit.vocabulary import COHORTS, EVENTS, FEEDBACK, OUTCOMES

MAX_RECORD_BYTES: Final = 262_144
"""The largest record the ledger takes, in bytes of JSON with sorted keys and no spaces."""
MAX_TOOL_CALLS: Final = 256
_MAX_NAME, _MAX_ERROR = 128, 1024
_MAX_VALUES: Final = 20_000
"""Numbers, strings, lists and so on in one record: what an agent may be held up by copying them."""
_MAX_DEPTH: Final = 32
_MAX_INT_BITS: Final = 256
_MAX_DOLLARS: Final = 999_999_999.0
_CAN_BE_CUT: Final = ("input", "output", "expected")


class Body(NamedTuple):
    """The body of an HTTP message. It is read when the record is written."""

    content: bytes
    content_type: str


class _FullError(Exception):
    """More than a record can hold."""


class Room:
    """What a record may still take: characters and values."""

    __slots__ = ("chars", "cut", "values")

    def __init__(self, values: int = _MAX_VALUES) -> None:
        self.chars = MAX_RECORD_BYTES
        self.values = values
        self.cut = False
        """Whether something was too large."""

    def copy(self, value: object, *, size: int = 0) -> object:
        """The value as JSON could hold it; where it is too large, its size, which is at least `size` bytes."""
        before = self.chars
        try:
            return self._copy(value, _MAX_DEPTH)
        except _FullError:
            seen, self.chars, self.cut = before - self.chars, before, True
            return truncated(max(seen, size))

    def _copy(self, value: object, depth: int) -> object:
        self._take(chars=1, values=1)
        if value is None or isinstance(value, (bool, str)):
            return self._text(value) if isinstance(value, str) else value
        if isinstance(value, (int, float)):
            return _number(value)
        if isinstance(value, (bytes, bytearray)):
            self._take(chars=len(value))
            return value.decode("utf-8", "replace")
        if depth == 0:
            raise _FullError
        if isinstance(value, (dict, Mapping)):
            return {self._name(name): self._copy(item, depth - 1) for name, item in value.items()}
        if isinstance(value, (list, tuple, AbstractSet)):
            return [self._copy(item, depth - 1) for item in value]
        if is_dataclass(value) and not isinstance(value, type):
            return {item.name: self._copy(getattr(value, item.name), depth - 1) for item in fields(value)}
        if callable(dump := getattr(value, "model_dump", None)) and not isinstance(value, type):
            return self._copy(dump(), depth - 1)
        return self._text(str(value))

    def _name(self, name: object) -> str:
        # NB: two names that differ in what is no character would become one, and the ledger would read another record.
        return self._text(str(name)).encode("utf-8", "replace").decode()

    def _text(self, text: str) -> str:
        self._take(chars=len(text))
        # NB: of a subclass, such as an enum's member, only the text itself.
        return str.__str__(text)

    def _take(self, *, chars: int = 0, values: int = 0) -> None:
        self.chars -= chars
        self.values -= values
        if self.chars < 0 or self.values < 0:
            raise _FullError


def truncated(size: int) -> dict[str, object]:
    """What stands for a value that was too large; `size` in bytes, at least."""
    return {"truncated": True, "bytes": size}


ABSENT: Final = object()
"""Of an input or output that nobody has told."""


@dataclass(slots=True, eq=False)
class Draft:
    """The record of one task, while it runs and until it is written. `started` and `finished` in seconds since 1970."""

    cohort: int
    session: str | None
    shadow: bool
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.time)
    finished: float = 0.0
    outcome: int = 0
    input: object = ABSENT
    output: object = ABSENT
    expected: object = None
    calls: list[dict[str, object]] = field(default_factory=list)
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
        known = isinstance(duration_seconds, (int, float)) and math.isfinite(duration_seconds)
        self.calls.append(
            {
                "name": str(name)[:_MAX_NAME] or "unnamed",
                "arguments": self.room.copy(arguments),
                "result": self.room.copy(result),
                "error": None if error is None else str(error)[:_MAX_ERROR],
                "durationSeconds": max(0.0, float(duration_seconds or 0.0)) if known else None,
            }
        )


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
        "toolCalls": draft.calls,
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


def _encoded(value: object) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # NB: half of a surrogate pair, which Python's strings can hold, is no character.
    return text.encode("utf-8", "replace")


def _number(value: float) -> object:
    if isinstance(value, int):
        return int(value) if value.bit_length() <= _MAX_INT_BITS else truncated(value.bit_length() // 8)
    return float(value) if math.isfinite(value) else str(value)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _dollars(usd: float) -> str | None:
    """A decimal number; None where no cost was told."""
    return f"{min(usd, _MAX_DOLLARS):.9f}".rstrip("0").rstrip(".") if usd else None
