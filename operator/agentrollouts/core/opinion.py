"""What an advisor is asked about and what it may answer. An opinion is data: what it does is decided in ``core.advice``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from agentrollouts.api.advisor import AdvisorUsage

ASSUMED_TOKENS = 8_000
"""What an answer counts for that doesn't tell its usage: a long question, and the longest answer."""

Problem = Literal["Timeout", "Refused", "Nonsense", "Unreachable", "BudgetSpent", "NotConfigured", "Failed"]


class Subject(NamedTuple):
    """One step of one try of a candidate: ``share`` in basis points, all of them for a promotion."""

    attempt: int
    step: int
    share: int


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an advisor thinks of the next step. ``confidence`` in basis points; the texts are its own and not trusted."""

    action: Literal["proceed", "hold", "rollback"]
    confidence: int
    reason: str = ""
    evidence: tuple[str, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class NoOpinion:
    """Why there is none; the rollout goes on as if nobody had been asked."""

    problem: Problem
    reason: str
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back about ``subject``, when, and what the day's answers have cost with it."""

    subject: Subject
    at: datetime
    said: Opinion | NoOpinion
    usage: AdvisorUsage
