"""Whether two answers are the same decision, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from agentrollouts.replay.structured import Difference, at, differences
from agentrollouts.replay.text import THRESHOLD, similarity

MISSING = object()
"""Of an answer that has nothing at the path, or that never came."""


class Compare(StrEnum):
    """By what two answers are compared."""

    EXACT = "exact"
    STRUCTURED = "structured"
    TEXT = "text"


class Tools(StrEnum):
    """Which calls of tools belong to a decision."""

    EFFECTS = "effects"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a decision is. ``answer`` is the path in the answer, with dots; ``ignore`` are paths below it that don't count.

    ``tools``: with ``effects``, calls of the tools that the release doesn't mark as safe are part of the decision.
    """

    compare: Compare = Compare.EXACT
    answer: str = ""
    ignore: tuple[str, ...] = ()
    threshold: float = THRESHOLD
    tools: Tools = Tools.EFFECTS


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


def compared(before: Any, after: Any, rule: Rule) -> Likeness:
    """Two decisions; either may be MISSING, which is like itself only."""
    if before is MISSING or after is MISSING:
        return Likeness(before is after)
    if rule.compare is Compare.TEXT and isinstance(before, str) and isinstance(after, str):
        alike = similarity(before, after)
        return Likeness(alike >= rule.threshold, alike)
    found = differences(before, after, rule.ignore if rule.compare is Compare.STRUCTURED else ())
    return Likeness(not found, None, found)
