"""How alike two texts are by their meaning: the cosine of two vectors that a language model has made of them.

Who makes the vectors is another file's business (``embed``): here they are looked up, so what a comparison says is a function of values. A vector
is kept with length one and in single precision, rounded before it is first used: a replay that goes on with kept vectors says what it said.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import hypot, isfinite
from operator import mul
from typing import Final, TypeAlias

from agentrollouts.replay.errors import ReplayError

THRESHOLD: Final = 0.9
"""Strict on purpose: what is wrongly told apart, both lanes are charged with, but what is wrongly taken for the same is a change that nobody sees."""
MOST_TEXTS: Final = 32
MOST_CHARS: Final = 64_000
"""What goes into one request, but for a single text that is longer by itself."""

Vector: TypeAlias = "array[float]"
Vectors = Mapping[str, Vector]


def similarity(first: str, second: str, vectors: Vectors) -> float:
    """From -1 to 1; 1 for equal texts, 0 where only one of them has words.

    Raises:
        ReplayError: a vector is needed that isn't there, or two are of different lengths.
    """
    if first == second or not (first.strip() or second.strip()):
        return 1.0
    if not needs_vectors(first, second):
        return 0.0
    one, other = _vector(first, vectors), _vector(second, vectors)
    if len(one) != len(other):
        raise ReplayError(
            f"two answers have embeddings of {len(one)} and of {len(other)} numbers, which can't be compared: "
            "they are of different models"
        )
    cosine: float = sum(map(mul, one, other))
    return max(-1.0, min(1.0, cosine))


def needs_vectors(first: str, second: str) -> bool:
    """Whether it takes vectors to compare two texts: equal ones are alike, and one without a word has no meaning to ask for."""
    return first != second and bool(first.strip()) and bool(second.strip())


def unit(numbers: Sequence[float]) -> Vector:
    """The vector of length one in the direction of these numbers.

    Raises:
        ValueError: they have no direction; the message says what they are.
    """
    for place, number in enumerate(numbers):
        if not isfinite(number):
            raise ValueError(f"one with {number} at place {place}")
    largest = max(map(abs, numbers), default=0.0)
    if not largest:
        raise ValueError(f"a null vector of {len(numbers)} numbers")
    # NB: by the largest first, for the length of finite numbers may be more than a float holds, or be lost below the least one.
    scaled = [number / largest for number in numbers]
    length = hypot(*scaled)
    return array("f", [number / length for number in scaled])


def batches(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Texts in their order, as many together as one request takes."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) == MOST_TEXTS or size + len(text) > MOST_CHARS):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield tuple(batch)


def _vector(text: str, vectors: Vectors) -> Vector:
    try:
        return vectors[text]
    except KeyError:
        raise ReplayError(
            f"an answer of {len(text)} characters has no embedding, so it can't be compared by its meaning"
        ) from None
