"""Whether two answers are the same decision, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from agentrollouts.replay import embedding, text
from agentrollouts.replay.embedding import Vectors
from agentrollouts.replay.structured import Difference, at, differences

MISSING = object()
"""Of an answer that has nothing at the path, or that never came."""


class Compare(StrEnum):
    """By what two answers are compared."""

    EXACT = "exact"
    STRUCTURED = "structured"
    TEXT = "text"
    EMBEDDING = "embedding"


THRESHOLDS: Final[Mapping[Compare, float]] = MappingProxyType(
    {Compare.TEXT: text.THRESHOLD, Compare.EMBEDDING: embedding.THRESHOLD}
)
"""From which similarity on two texts are the same decision, where nobody says otherwise: the two kinds measure differently."""
NO_VECTORS: Final[Vectors] = MappingProxyType({})


def threshold_of(compare: Compare, said: float | None) -> float:
    """What is said, or else the usual one; where answers aren't compared by likeness it counts for nothing."""
    return THRESHOLDS.get(compare, text.THRESHOLD) if said is None else said


class Tools(StrEnum):
    """Which calls of tools belong to a decision."""

    EFFECTS = "effects"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a decision is. ``answer`` is the path in the answer, with dots; ``ignore`` are paths below it that don't count.

    ``tools``: with ``effects``, calls of the tools that the release doesn't mark as safe are part of the decision. ``embedding_model``: whose
    vectors an embedding's comparison goes by.
    """

    compare: Compare = Compare.EXACT
    answer: str = ""
    ignore: tuple[str, ...] = ()
    threshold: float = text.THRESHOLD
    tools: Tools = Tools.EFFECTS
    embedding_model: str = ""


class Likeness(NamedTuple):
    """``similarity`` is a number for texts only, ``differences`` for all others."""

    same: bool
    similarity: float | None = None
    differences: tuple[Difference, ...] = ()


def decision(answer: Any, rule: Rule) -> Any:
    """What of an answer is compared; MISSING where it isn't there."""
    try:
        return at(answer, rule.answer)
    except LookupError:
        return MISSING


def compared(before: Any, after: Any, rule: Rule, vectors: Vectors = NO_VECTORS) -> Likeness:
    """Two decisions; either may be MISSING, which is like itself only.

    Raises:
        ReplayError: they are compared by embeddings and ``vectors``, by text, don't have theirs.
    """
    if before is MISSING or after is MISSING:
        return Likeness(before is after)
    if rule.compare in THRESHOLDS and isinstance(before, str) and isinstance(after, str):
        if rule.compare is Compare.EMBEDDING:
            alike = embedding.similarity(before, after, vectors)
        else:
            alike = text.similarity(before, after)
        return Likeness(alike >= rule.threshold, alike)
    found = differences(before, after, rule.ignore if rule.compare is Compare.STRUCTURED else ())
    return Likeness(not found, None, found)
