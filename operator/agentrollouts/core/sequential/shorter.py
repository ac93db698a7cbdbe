"""Shorter: a mean that may not fall, such as the length of the answers. It is :class:`Cost` with the sides exchanged.

"The old version's mean is more than so much above the candidate's" is what "the candidate's is below" means for a ratio, so
the bets, the bound and its proof are those of the cost. Bets come from what the candidate did in earlier blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.measure import Block, Course


@dataclass(frozen=True, slots=True)
class Shorter:
    """``tolerance`` shorter is as good; ``margin`` shorter is too bad to be promoted. Both are below 1: 0.3 is 30 % shorter."""

    tolerance: float = 0.10
    margin: float = 0.30

    @property
    def exchanged(self) -> Cost:
        """The same limits by how much larger the old version's mean is: a half shorter is twice as long before."""
        return Cost(_rise(self.tolerance), _rise(self.margin))

    def begun(self, history: Block) -> Course:
        """As if the candidate did what the old version did, until it has sessions of its own."""
        return self.exchanged.begun(history)

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:
        """With one more block, in which both sides have units."""
        return self.exchanged.folded(course, old, candidate)


def _rise(fall: float) -> float:
    return 1.0 / (1.0 - fall) - 1.0
