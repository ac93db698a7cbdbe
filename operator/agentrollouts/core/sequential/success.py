"""Success: the fraction of a session's tasks that went well, from count, sum and sum of squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from agentrollouts.core.sequential.evalue import KNOWN, Bet, Line, Pair, good_line, logs_larger, worse_line
from agentrollouts.core.sequential.grid import near, near_part
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.memory import Memory, failing_part
from agentrollouts.core.sequential.units import Units
from agentrollouts.core.sequential.wealth import grown, laid

DROPS = (0.02, 0.05, 0.10, 0.20, 0.40, 0.80)
"""How much worse the candidate might be, beyond the tolerance: one bet each."""
WEIGHTS = (0.25, 0.25, 0.20, 0.15, 0.10, 0.05)
LOWEST, HIGHEST = 0.01, 0.99
NUDGE = 0.02


@dataclass(frozen=True, slots=True)
class Success:
    """``tolerance`` below the old version is as good; ``margin`` below it is too bad to be promoted. Both are fractions."""

    tolerance: float = 0.0
    margin: float = 0.05

    def begun(self, history: Block) -> Course:
        """Two memories: of the rate, and of how much of a session fails when it fails."""
        return Course(
            against=((0.0,) * len(DROPS),),
            favour=((1 / 3, 1 / 3, 1 / 3),),
            memory=Memory.of_history(units(history))._asdict(),
        )

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:
        """Bets come from the blocks before this one."""
        memory = Memory(**course.memory)
        before, number = units(old), course.blocks + 1
        block = Pair.of(units(candidate), before)
        rate, part, sizes = near(memory.rate), near_part(memory.part), block.sizes
        worse = logs_larger(dropping(rate, part, self.tolerance, sizes), block.bad, block.old_good)
        good = logs_larger(_promoting(rate, part, self.margin, sizes), block.good, block.old_bad)
        return Course(
            blocks=number,
            against=(laid(course.against[0], number, WEIGHTS, worse),),
            favour=(grown(course.favour[0], good),),
            memory=memory.after(before, candidate.n + old.n)._asdict(),
        )


def units(block: Block) -> Units:
    """The sessions of a block by the fraction that succeeded."""
    return Units(block.n, block.sums.get("total", 0.0), block.sums.get("squares", 0.0))


@lru_cache(maxsize=KNOWN)
def dropping(
    rate: float, part: float, tolerance: float, sizes: float, drops: tuple[float, ...] = DROPS
) -> tuple[Line, ...]:
    """One line for each drop below a ``rate``; ``part`` of a unit fails when it fails, where failures are rare."""
    lines = []
    for drop in drops:
        new = min(HIGHEST, max(LOWEST, rate - tolerance - drop))
        lines.append(worse_line(Bet(new, rate, failing_part(part, 1.0 - new)), tolerance, sizes))
    return tuple(lines)


@lru_cache(maxsize=KNOWN)
def _promoting(rate: float, part: float, margin: float, sizes: float) -> tuple[Line, ...]:
    """As good as the old version, with failing sessions of the expected size and whole ones; and half the margin worse."""
    size = failing_part(part, 1.0 - rate + margin)
    bets = Bet(rate, rate, size), Bet(rate, rate), Bet(max(rate - margin / 2, NUDGE), rate, size)
    return tuple(good_line(bet, margin, sizes) for bet in bets)
