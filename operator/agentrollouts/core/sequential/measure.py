"""What a test of one metric is: how it begins, how a block changes it, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from agentrollouts.core.sequential.wealth import Wealth

Sums = Mapping[str, float]
"""Sums over units by the name of what is summed: a histogram's edge, a tool, ``total`` and ``squares``."""
NONE: Sums = MappingProxyType({})


class Block(NamedTuple):
    """One side's units in a block, and the sums over them."""

    n: float
    sums: Sums


def both(one: Block, other: Block) -> Block:
    """Two sides' units together."""
    sums = dict(one.sums)
    for name, amount in other.sums.items():
        sums[name] = sums.get(name, 0.0) + amount
    return Block(one.n + other.n, sums)


class Course(NamedTuple):
    """A test between two blocks; all of it, so that it goes on from the status where it stood."""

    blocks: int = 0
    against: tuple[Wealth, ...] = ()
    """By part (an edge of a histogram): the wealth of the bets that the candidate is worse."""
    favour: tuple[Wealth, ...] = ()
    """By part: the wealth of the bets that it isn't worse by the margin. Empty for a test that can't promote."""
    memory: Sums = NONE
    """What earlier blocks told about the old version (and, where bets need it, the candidate)."""
    fixed: Sums = NONE
    """What was settled before the rollout, such as the margin of each edge."""

    @property
    def worse(self) -> float:
        """The e-value against "not worse": 1/alpha takes the candidate out."""
        return sum([sum(part) for part in self.against]) / len(self.against) if self.against else 0.0

    @property
    def good(self) -> float | None:
        """The e-value against "worse by the margin": 1/beta lets the candidate have everything. None: it can't say."""
        return min([sum(part) for part in self.favour]) if self.favour else None


class Measure(Protocol):
    """A test of one metric. Pure: the same blocks give the same course."""

    def begun(self, history: Block) -> Course:
        """At the start of a rollout, with what the old version did before."""

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:
        """With one more block, in which both sides have units."""
