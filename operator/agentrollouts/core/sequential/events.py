"""Events that should be rare: the fraction of a session's tasks that ended so, or in which it happened."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from agentrollouts.core.sequential.evalue import (
    KNOWN,
    Bet,
    Line,
    Mass,
    Pair,
    good_line,
    logs_larger,
    worse_line,
)
from agentrollouts.core.sequential.grid import near
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.remembered import faded, rate, remembered
from agentrollouts.core.sequential.units import Units
from agentrollouts.core.sequential.wealth import Wealth, grown, laid

RISES = (0.01, 0.02, 0.04, 0.08, 0.15, 0.40)
"""How much more often it might happen, beyond the tolerance: one bet each."""
WEIGHTS = (1 / 6,) * 6
MOST = 0.995


@dataclass(frozen=True, slots=True)
class Events:
    """``tolerance`` more often is as good; ``margin`` more often is too bad to be promoted. Both are fractions."""

    tolerance: float = 0.01
    margin: float = 0.05

    def begun(self, history: Block) -> Course:
        """The rate before."""
        return Course(
            against=((0.0,) * len(RISES),),
            favour=((1.0,),),
            memory=remembered({"n": 0.0, "total": 0.0}, history.n, history.sums),
        )

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:
        """Bets come from the blocks before this one."""
        q = rate(course.memory, "total")
        new = Units.counted(candidate.n, candidate.n - candidate.sums.get("total", 0.0))
        before = Units.counted(old.n, old.n - old.sums.get("total", 0.0))
        against, favour = stepped(
            (course.against[0], course.favour[0]),
            course.blocks + 1,
            q,
            (new, before),
            tolerance=self.tolerance,
            margin=self.margin,
        )
        return Course(
            blocks=course.blocks + 1,
            against=(against,),
            favour=(favour,),
            memory=faded(course.memory, candidate.n + old.n, old),
        )


def stepped(
    wealth: tuple[Wealth, Wealth],
    block: int,
    q: float,
    sides: tuple[Units, Units],
    *,
    tolerance: float,
    margin: float,
    rises: tuple[float, ...] = RISES,
    weights: tuple[float, ...] = WEIGHTS,
) -> tuple[Wealth, Wealth]:
    """Wealth (against, in favour) after a block; ``q`` is how often it happened before, ``sides`` are units without it."""
    pair, q = Pair.of(*sides), near(q)
    worse = rising_logs(q, (pair.bad, pair.old_good), pair.sizes, tolerance, rises)
    good = logs_larger(_promoting(q, margin, pair.sizes), pair.good, pair.old_bad) if wealth[1] else []
    return laid(wealth[0], block, weights, worse), grown(wealth[1], good)


def rising_logs(
    q: float, masses: tuple[Mass, Mass], sizes: float, tolerance: float, rises: tuple[float, ...]
) -> list[float]:
    """Logarithms of the e-values against "at most ``tolerance`` more often", one for each rise beyond it.

    ``q`` is how often it happened before, on the grid; ``masses`` are the candidate's units with it and the old version's without, ``sizes`` as in ``Pair``.
    """
    bad, old_good = masses
    return logs_larger(_rising(q, tolerance, sizes, rises), bad, old_good)


@lru_cache(maxsize=KNOWN)
def _rising(q: float, tolerance: float, sizes: float, rises: tuple[float, ...]) -> tuple[Line, ...]:
    """One line for each rise, by how often it does not happen."""
    bets = [Bet(1.0 - min(MOST, q + tolerance + rise), 1.0 - q) for rise in rises]
    return tuple(worse_line(bet, tolerance, sizes) for bet in bets)


@lru_cache(maxsize=KNOWN)
def _promoting(q: float, margin: float, sizes: float) -> tuple[Line]:
    """The one line that it happens as often as before."""
    return (good_line(Bet(max(0.02, 1.0 - q), 1.0 - q), margin, sizes),)
