"""What earlier blocks tell by name: sums of the old version's units, which fade so that bets follow the time of day."""

from __future__ import annotations

from agentrollouts.core.sequential.measure import Block, Sums
from agentrollouts.core.sequential.memory import REMEMBERED, kept

LOWEST, HIGHEST = 0.002, 0.99
DOUBT, PRIOR = 0.02, 0.5
"""What a rate is smoothed with: events and units that nobody counted."""

ENOUGH = 30.0
"""Units of the old version from which what depends on its history is settled: margins of edges, the cap of a cost. Until then
the test says nothing."""


def rate(memory: Sums, name: str) -> float:
    """How often something happened, smoothed."""
    return smoothed(memory.get(name, 0.0), memory["n"])


def smoothed(amount: float, n: float) -> float:
    """How often something happened that happened ``amount`` times in ``n`` units, away from 0 and 1."""
    found = (amount + DOUBT) / (n + PRIOR)
    return LOWEST if found < LOWEST else min(found, HIGHEST)


def remembered(memory: Sums, n: float, sums: Sums) -> Sums:
    """What history tells, no more of it than would be remembered."""
    share = min(1.0, REMEMBERED / n) if n > 0.0 else 0.0
    return {**memory, "n": n * share, **{name: amount * share for name, amount in sums.items()}}


def faded(memory: Sums, block: float, old: Block) -> Sums:
    """The memory with the old version's part of a block of ``block`` units."""
    fade = kept(memory["n"], block)
    after = {name: amount * fade for name, amount in memory.items()}
    after["n"] += old.n
    for name, amount in old.sums.items():
        after[name] = after.get(name, 0.0) + amount
    return after
