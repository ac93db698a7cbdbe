"""Embeddings by a table, as an endpoint of OpenAI's ``/v1/embeddings`` answers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fakes.llm import Model

Numbers = Sequence[float]


def embeddings(*vectors: object) -> dict[str, Any]:
    """The body of an answer."""
    data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    return {"object": "list", "model": "m", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def by_table(table: Mapping[str, Numbers]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """What a ``Model`` answers: the vector of each text that it is sent."""
    return lambda asked: embeddings(*(list(table[text]) for text in asked["input"]))


def texts_of(model: Model) -> list[str]:
    """Every text that was sent, as often as it was."""
    return [text for _, _, asked in model.asked for text in asked["input"]]
