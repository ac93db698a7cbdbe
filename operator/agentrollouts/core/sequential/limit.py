"""A fixed limit on the candidate alone: how often something happens may not exceed it, whatever the old version has."""

from __future__ import annotations

from dataclasses import dataclass
from math import log1p

from agentrollouts.core.sequential.evalue import MOST, Mass, mass
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.units import Units
from agentrollouts.core.sequential.wealth import laid

RISES = (0.01, 0.02, 0.05, 0.10, 0.25, 0.60)
"""How far above the limit it might be: one bet each."""
WEIGHTS = (1 / 6,) * 6
LOWEST = 0.001
"""What a smaller limit is tested as. There is no such bound above: a limit tested as a smaller one would be exceeded in vain."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``most`` is a fraction. Nothing to compare with, so a limit that isn't exceeded is no reason to promote either."""

    most: float

    def begun(self, history: Block) -> Course:  # noqa: ARG002 - as every measure
        """Nothing needs to be known."""
        return Course(against=((0.0,) * len(RISES),))

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:  # noqa: ARG002 - as every measure
        """Each factor is 1 + l (x - limit), whose mean is at most 1 while the limit holds."""
        number = course.blocks + 1
        units = Units.counted(candidate.n, candidate.sums.get("total", 0.0))
        bad = mass(units)
        logs = [self._log(rise, bad) for rise in RISES]
        return Course(blocks=number, against=(laid(course.against[0], number, WEIGHTS, logs),))

    def _log(self, rise: float, bad: Mass) -> float:
        centre = max(LOWEST, self.most)
        if centre >= 1.0:
            return 0.0  # nothing exceeds it
        expected = min(1.0, centre + rise)
        rate = min(MOST / centre, (expected - centre) / (centre * (1.0 - centre)))
        n, weight, at = bad
        return (n - weight) * log1p(-rate * centre) + weight * log1p(rate * (at - centre))
