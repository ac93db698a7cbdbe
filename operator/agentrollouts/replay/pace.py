"""How fast a replay goes, known without anything that asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How many tasks are in flight at once, how often a broken connection is tried again, and the seconds before the first time.

    Each further pause is twice as long.
    """

    concurrency: int = 4
    retries: int = 4
    pause: float = 0.5
