"""Cost: the mean capped cost of a session's tasks, from count, sum and sum of squares. Relative, so the time of day cancels.

The cap makes it exact: agents run under a budget anyway, and the mean of an unbounded cost can't be tested from sums.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentrollouts.core.sequential.evalue import Line, Pair, logs_larger
from agentrollouts.core.sequential.measure import Block, Course, Sums
from agentrollouts.core.sequential.remembered import faded, remembered
from agentrollouts.core.sequential.success import units
from agentrollouts.core.sequential.wealth import grown, laid

RISES = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
"""How much dearer a task might be than before, relative to the old version: one bet each."""
WEIGHTS = (1 / 6,) * 6
LOWEST, HIGHEST = 1e-6, 0.9
NEARLY = 0.99
LIKELY = 0.1
"""The least standard deviation that is believed, as a part of the mean."""


@dataclass(frozen=True, slots=True)
class Cost:
    """``tolerance`` dearer is as good; ``margin`` dearer is too bad to be promoted. Both relative: 0.1 is 10 % dearer."""

    tolerance: float = 0.10
    margin: float = 0.30

    def begun(self, history: Block) -> Course:
        """The mean and the spread before. Where nothing has cost anything, there is nothing to be promoted by."""
        return Course(
            against=((0.0,) * len(RISES),),
            favour=((1.0,),) if history.sums.get("total", 0.0) > 0.0 else (),
            memory=remembered({"n": 0.0, "total": 0.0, "squares": 0.0}, history.n, history.sums),
        )

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:
        """Bets come from the blocks before this one."""
        memory = faded(course.memory, candidate.n + old.n, old)
        if not course.favour:
            some = candidate.sums.get("total", 0.0) + old.sums.get("total", 0.0) > 0.0
            # NB: a bet that begins with the block that made it begin would know how that block went.
            return course._replace(favour=((1.0,),) if some else (), memory=memory)
        mean, variance = moments(course.memory)
        block, number = Pair.of(units(candidate), units(old)), course.blocks + 1
        worse = logs_larger(
            self._rising(mean, variance, block.sizes), block.good, block.old_bad, ratio=1.0 + self.tolerance
        )
        good = logs_larger(
            [self._promoting(mean, variance, block.sizes)],
            block.old_good,
            block.bad,
            ratio=1.0 / (1.0 + self.margin),
        )
        return Course(
            blocks=number,
            against=(laid(course.against[0], number, WEIGHTS, worse),),
            favour=(grown(course.favour[0], good),),
            memory=memory,
        )

    def _rising(self, mean: float, variance: float, sizes: float) -> list[Line]:
        """Against "at most ``tolerance`` dearer": for each rise the stake that is best if it is so much dearer than that."""
        ratio = 1.0 + self.tolerance
        centre = min(NEARLY, ratio * mean)
        there, others = 1.0 - centre / ratio, ratio * ratio * sizes * variance
        lines = []
        for rise in RISES:
            more = rise * mean
            spread = variance * (ratio + rise) ** 2 + more * more + others
            lines.append(Line(centre, there, more / (spread + centre * more)))
        return lines

    def _promoting(self, mean: float, variance: float, sizes: float) -> Line:
        """Against "at least ``margin`` dearer", with the stake that is best if it costs the same."""
        ratio = 1.0 + self.margin
        centre = min(NEARLY, ratio * mean)
        less = centre - mean
        spread = variance + less * less + ratio * ratio * sizes * variance
        return Line(centre / ratio, 1.0 - centre, ratio * sizes * less / (spread + (1.0 - centre) * less))


def moments(memory: Sums) -> tuple[float, float]:
    """(mean, variance) of the old version's capped cost, smoothed away from 0."""
    n = memory["n"] + 1e-2
    mean = min(HIGHEST, max(LOWEST, (memory["total"] + 1e-5) / n))
    return mean, max(memory["squares"] / n - mean * mean, (LIKELY * mean) ** 2)
