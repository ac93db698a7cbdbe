"""What a converter answers, and how it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from agentrollouts.evals.attempts import Attempt


@dataclass(frozen=True, slots=True)
class Converted:
    """Attempts in the tool's order. ``partial``: the tool itself says that it didn't finish."""

    attempts: tuple[Attempt, ...]
    partial: bool = False


class Foreign(BaseModel):
    """Part of another tool's file: what we don't need may be there, and may change."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def average(scores: Sequence[Decimal]) -> Decimal:
    """Every scorer weighs the same. Raises ZeroDivisionError for none."""
    return sum(scores, Decimal(0)) / len(scores)


def names_of(labels: Sequence[tuple[str, str]]) -> list[str]:
    """Ids from each attempt's label and what it was asked: the label, and both where one label stands for several questions.

    Without that, different tasks of one label would be taken for repeats of each other.
    """
    asked: dict[str, set[str]] = {}
    for label, question in labels:
        asked.setdefault(label, set()).add(question)
    return [label if len(asked[label]) == 1 else f"{label}: {question}" for label, question in labels]
