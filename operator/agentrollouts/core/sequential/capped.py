"""Cost at the cap that fits: agents cut a task's cost at several caps, and the old version's history says which one is tested.

A cap far above what tasks cost makes fractions so small that a stake on them wins next to nothing: the old version might have
a session that costs as much as the cap, and the stake has to survive it. A cap far below hides how dear a task is. The cap is
settled once, from sessions before the first bet, so that the test is as exact as with a given one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.measure import Block, Course, Sums, both
from agentrollouts.core.sequential.remembered import ENOUGH, faded, remembered

TOTAL, SQUARES = "total ", "squares "
"""What stands in front of a cap in the names of the sums."""
FITS = 0.35
"""The largest mean, as a part of the cap, that leaves room to see a version that costs twice as much."""


@dataclass(frozen=True, slots=True)
class CappedCost:
    """As :class:`Cost`, whose numbers these are, with sums for each of several caps in US dollars."""

    tolerance: float = 0.10
    margin: float = 0.30

    def begun(self, history: Block) -> Course:
        """The cap is settled now if the old version is known well enough; until it is, nothing speaks for the candidate."""
        return self._settled(Course(memory=remembered({"n": 0.0}, history.n, history.sums)))

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:
        """Bets come from the blocks before this one, the cap from before the first."""
        cap = settled(course)
        if cap is None:
            return self._settled(course._replace(memory=_known(course.memory, candidate, old)))
        if any(TOTAL + cap not in side.sums for side in (candidate, old)):
            return course  # cut at other caps: nobody knows what it comes to at this one
        after = self._cost.folded(course, narrowed(candidate, cap), narrowed(old, cap))
        return after._replace(fixed=course.fixed)

    @property
    def _cost(self) -> Cost:
        return Cost(self.tolerance, self.margin)

    def _settled(self, course: Course) -> Course:
        """Where nothing has ever cost anything, no cap is needed and nothing has to speak for the candidate."""
        memory = course.memory
        if _free(memory):
            return course._replace(favour=() if memory["n"] >= ENOUGH else ((1.0,),))
        known = Block(memory["n"], memory)
        cap = fitting(known) if known.n >= ENOUGH else None
        if cap is None:
            return course._replace(favour=((1.0,),))
        return self._cost.begun(narrowed(known, cap))._replace(fixed={cap: 1.0})


def _free(memory: Sums) -> bool:
    return not any(amount > 0.0 for name, amount in memory.items() if name.startswith(TOTAL))


def _known(memory: Sums, candidate: Block, old: Block) -> Sums:
    """With one more block. The first one that costs anything begins anew with both sides: that tells which cap would fit."""
    if not _free(memory):
        return faded(memory, candidate.n + old.n, old)
    n, sums = both(old, candidate)
    return faded(memory, n, old) if _free(sums) else remembered({"n": 0.0}, n, sums)


def settled(course: Course) -> str | None:
    """The cap that is tested; None while it isn't settled."""
    return next(iter(course.fixed), None)


def fitting(block: Block) -> str | None:
    """The smallest cap that leaves room above the mean, else the largest one; None where there is no cap at all."""
    caps = sorted((name.removeprefix(TOTAL) for name in block.sums if name.startswith(TOTAL)), key=float)
    roomy = (cap for cap in caps if block.sums[TOTAL + cap] <= FITS * block.n)
    return next(roomy, caps[-1] if caps else None)


def narrowed(block: Block, cap: str) -> Block:
    """The units with the sums at one cap, as :class:`Cost` takes them."""
    sums = block.sums
    return Block(block.n, {"total": sums.get(TOTAL + cap, 0.0), "squares": sums.get(SQUARES + cap, 0.0)})


def named(totals: Mapping[str, float], squares: Mapping[str, float]) -> dict[str, float]:
    """Sums by cap, under their names; caps are text such as ``0.3``. Raises ValueError for what isn't a positive number."""
    wrong = [cap for cap in totals if not float(cap) > 0.0]
    if wrong:
        raise ValueError(f"expected caps above 0 dollars, got {wrong[0]!r}")
    return {
        **{TOTAL + cap: amount for cap, amount in totals.items()},
        **{SQUARES + cap: squares.get(cap, amount) for cap, amount in totals.items()},
    }
