"""The text of an HTTP answer: what two versions' answers are compared by. Pure."""

from __future__ import annotations

import json
from typing import Any

_EVENTS = "text/event-stream"


def answer_text(body: bytes, content_type: str, *, field: str = "") -> str | None:
    """The answer's text, or None where it has none that can be compared.

    `field` is the path of the text inside a JSON answer, with dots: `answer`, or `choices.0.message.content`. Of an event
    stream it is looked for in the data of each event, and the pieces are put together. Without a field, text is taken as
    it is, and JSON only if it is nothing but a string: an id or a time would make equal answers differ.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if kind == _EVENTS:
        pieces = [_from_data(data, field) for data in _event_data(text)]
        found = [piece for piece in pieces if piece is not None]
        return "".join(found) if found else None
    if kind == "application/json" or kind.endswith("+json"):
        return _from_json(text, field)
    return text if kind.startswith("text/") and not field else None


def _event_data(stream: str) -> list[str]:
    """The data of each event; several data lines of one event are one text."""
    events = stream.replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
    lines = (
        [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        for event in events
    )
    return ["\n".join(found) for found in lines if found]


def _from_data(data: str, field: str) -> str | None:
    return _from_json(data, field) if field else data


def _from_json(text: str, field: str) -> str | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    for step in field.split(".") if field else ():
        value = _step(value, step)
    return value if isinstance(value, str) else None


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    return None
