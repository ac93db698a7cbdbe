"""How a Job stands that proves something about a candidate, as the shell found it. No Job at all is None."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.before_traffic import ProofSummary


@dataclass(frozen=True, slots=True)
class Running:
    """Not done yet. ``trouble``: why its pod doesn't start, in the kubelet's words. ``progress``: how far it has come, in its own."""

    trouble: str = ""
    progress: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """It came to its end and said what it found."""

    summary: ProofSummary
    at: datetime


@dataclass(frozen=True, slots=True)
class Broken:
    """It came to its end without a word that can be understood."""

    why: str
    at: datetime


ProofRun = Running | Finished | Broken
