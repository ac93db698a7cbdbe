"""Success: the fraction of a session's tasks that went well, from count, sum and sum of squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentrollouts.core.sequential.evalue import Bet, Pair, log_good, log_worse
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.memory import Memory
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
        worse = [log_worse(bet, self.tolerance, block) for bet in drops(memory, self.tolerance)]
        good = [log_good(bet, self.margin, block) for bet in self._promoting(memory)]
        return Course(
            blocks=number,
            against=(laid(course.against[0], number, WEIGHTS, worse),),
            favour=(grown(course.favour[0], good),),
            memory=memory.after(before, candidate.n + old.n)._asdict(),
        )

    def _promoting(self, memory: Memory) -> tuple[Bet, ...]:
        """As good as the old version, with failing sessions of the expected size and whole ones; and half the margin worse."""
        q = memory.rate
        size = memory.size(1.0 - q + self.margin)
        return Bet(q, q, size), Bet(q, q), Bet(max(q - self.margin / 2, NUDGE), q, size)


def units(block: Block) -> Units:
    """The sessions of a block by the fraction that succeeded."""
    return Units(block.n, block.sums.get("total", 0.0), block.sums.get("squares", 0.0))


def drops(memory: Memory, tolerance: float, sizes: Sequence[float] = DROPS) -> tuple[Bet, ...]:
    """One bet for each drop."""
    q, part = memory.rate, memory.part
    bets = []
    for drop in sizes:
        new = min(HIGHEST, max(LOWEST, q - tolerance - drop))
        bets.append(Bet(new, q, part + (1.0 - part) * (1.0 - new)))
    return tuple(bets)
