"""How fast a replay goes, known without anything that asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentrollouts.replay.attempt import Lane


@dataclass(frozen=True, slots=True)
class Pace:
    """How many tasks are in flight at once, how often a broken connection is tried again, and the seconds before the first time.

    Each further pause is twice as long.
    """

    concurrency: int = 4
    retries: int = 4
    pause: float = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """How the lanes are asked. ``timeout`` in seconds for each task; ``reached_within`` how long they may take until they answer at all."""

    urls: Mapping[Lane, str]
    listen: tuple[str, int]
    field: str
    timeout: float
    pace: Pace
    reached_within: float = 0.0
