"""What an answer of an embeddings endpoint comes to: one vector for each text, or what was seen instead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agentrollouts.replay.embedding import Vector, unit


def vectors_in(body: bytes, count: int) -> tuple[Vector, ...]:
    """The vectors of so many texts, in the order in which they were sent, whatever the order of the answer.

    Raises:
        ValueError: the body is something else; the message says what was expected and seen, never in the endpoint's words.
    """
    entries = _entries(body)
    if len(entries) != count:
        raise ValueError(f"expected {count} embeddings, one for each text; got {len(entries)}")
    placed = dict(_placed(entry, count) for entry in entries)
    if len(placed) != count:
        raise ValueError(
            f"expected embeddings with the indices 0 to {count - 1}, each of them once; got {len(placed)} different ones"
        )
    vectors = tuple(_vector(placed[index], index) for index in range(count))
    lengths = sorted({len(vector) for vector in vectors})
    if len(lengths) > 1:
        raise ValueError(
            f"expected embeddings of one length; got some of {lengths[0]} and some of {lengths[-1]} numbers"
        )
    return vectors


def _entries(body: bytes) -> Sequence[Any]:
    try:
        entries = json.loads(body)["data"]
    except (ValueError, TypeError, LookupError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        raise ValueError("expected a JSON object with the embeddings in data; got something else")  # noqa: TRY004 - a wrong answer, no wrong call
    return entries


def _placed(entry: Any, count: int) -> tuple[int, Any]:
    index = entry.get("index") if isinstance(entry, dict) else None
    if type(index) is not int or not 0 <= index < count:
        raise ValueError(f"expected each embedding with its index, from 0 to {count - 1}; got one without")
    return index, entry.get("embedding")


def _vector(numbers: Any, index: int) -> Vector:
    if (
        not isinstance(numbers, list)
        or not numbers
        or any(type(number) not in (int, float) for number in numbers)
    ):
        raise ValueError(f"expected a list of numbers as the embedding of text {index}; got something else")
    try:
        return unit(numbers)
    except OverflowError as error:
        raise ValueError(
            f"expected an embedding of text {index}; got one with a number that is too large"
        ) from error
    except ValueError as error:
        raise ValueError(f"expected an embedding of text {index}; got {error}") from error
