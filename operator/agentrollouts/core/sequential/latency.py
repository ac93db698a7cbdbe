"""Latency: the part of a session's tasks above several edges of a histogram at once. Nothing is interpolated.

One edge "at the p95" is blind where buckets double from one to the next: a version that is 20 % slower moves hardly any mass
across it. So every edge speaks that has a fair part of the old version's tasks above it. How much more may lie above an edge
is settled once, before the rollout, from the density of the old version's own latency there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log, log1p

from agentrollouts.core.sequential.events import stepped
from agentrollouts.core.sequential.measure import Block, Course, Sums
from agentrollouts.core.sequential.remembered import ENOUGH, faded, remembered, smoothed
from agentrollouts.core.sequential.units import Units

RISES = (0.02, 0.04, 0.09, 0.20, 0.42)
"""How much more may lie above an edge, beyond its margin: one bet each."""
WEIGHTS = (0.28, 0.26, 0.20, 0.15, 0.11)
SLOWEST, FASTEST = 0.02, 0.80
"""An edge speaks if so much of the old version's latency lies above it, at least and at most."""
LEAST = 0.005
"""The smallest margin of an edge."""
NEWS, MUCH_NEWS = 0.01, 0.05
"""Tolerance and margin of an edge that the old version never crosses, so that its latency can't say how much is much."""


@dataclass(frozen=True, slots=True)
class Latency:
    """``tolerance`` slower is as good; ``margin`` slower is too bad to be promoted. Both relative: 0.1 is 10 % longer."""

    tolerance: float = 0.10
    margin: float = 0.30
    slower_than: float | None = None
    """Seconds: judge the first edge at or beyond them alone."""

    def begun(self, history: Block) -> Course:
        """The margins are settled now if the old version is known well enough; until they are, nothing speaks for it."""
        return self._settled(Course(favour=((1.0,),), memory=remembered({"n": 0.0}, history.n, history.sums)))

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:
        """Bets come from the blocks before this one, margins from before the first."""
        memory = faded(course.memory, candidate.n + old.n, old)
        if not course.fixed:
            return self._settled(course._replace(memory=memory))
        parts = [self._part(course, at, edge, candidate, old) for at, edge in enumerate(edges(course.fixed))]
        return course._replace(
            blocks=course.blocks + 1,
            against=tuple(against for against, _ in parts),
            favour=tuple(favour for _, favour in parts),
            memory=memory,
        )

    def _part(
        self, course: Course, at: int, edge: str, candidate: Block, old: Block
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        wealth = course.against[at], course.favour[at]
        if edge not in candidate.sums or edge not in old.sums:
            return wealth  # another histogram: nobody knows what lies above this edge
        slow = 1.0 - rate_below(course.memory, edge)
        return stepped(
            wealth,
            course.blocks + 1,
            slow,
            (Units.counted(candidate.n, candidate.sums[edge]), Units.counted(old.n, old.sums[edge])),
            tolerance=course.fixed[edge],
            margin=course.fixed[edge + PROMOTING],
            rises=RISES,
            weights=WEIGHTS,
        )

    def _settled(self, course: Course) -> Course:
        if course.memory["n"] < ENOUGH:
            return course
        below = {name: rate_below(course.memory, name) for name in course.memory if name != "n"}
        fixed = margins(below, self.tolerance)
        promoting = margins(below, self.margin)
        chosen = speaking(below, self.slower_than)
        if not chosen:  # a histogram that can't tell forbids nothing
            return course._replace(favour=(), fixed={PROMOTING: 0.0})
        return course._replace(
            against=((0.0,) * len(RISES),) * len(chosen),
            favour=((1.0,),) * len(chosen),
            fixed=_at_least(below, {edge: fixed[edge] for edge in chosen}, NEWS)
            | _at_least(below, {edge + PROMOTING: promoting[edge] for edge in chosen}, MUCH_NEWS),
        )


PROMOTING = " promote"


def _at_least(below: Sums, found: dict[str, float], least: float) -> dict[str, float]:
    """Margins of edges, no smaller than ``least`` where next to nothing lies above one."""
    return {
        name: max(margin, least) if 1.0 - below[name.removesuffix(PROMOTING)] <= SLOWEST else margin
        for name, margin in found.items()
    }


def edges(fixed: Sums) -> tuple[str, ...]:
    """The edges that speak, in growing order."""
    return tuple(name for name in fixed if not name.endswith(PROMOTING))


def speaking(below: Mapping[str, float], slower_than: float | None = None) -> tuple[str, ...]:
    """The edges that tell something about the old version's latency, in growing order; none of a histogram without any.

    ``below`` is the cumulative distribution at the edges. Where all is faster than every edge, the lowest one speaks: what
    crosses it is news.
    """
    found = finite(below)
    if slower_than is not None:
        return tuple(edge for edge in found if float(edge) >= slower_than)[:1]
    fair = tuple(edge for edge in found if SLOWEST < 1.0 - below[edge] < FASTEST)
    return fair or tuple(edge for edge in found if 1.0 - below[edge] <= SLOWEST)[:1]


def finite(edges: Iterable[str]) -> list[str]:
    """The positive finite edges, in growing order."""
    return sorted((edge for edge in edges if 0.0 < float(edge) < inf), key=float)


def rate_below(memory: Sums, edge: str) -> float:
    """The part of the old version's tasks at or under an edge."""
    return 1.0 - smoothed(memory["n"] - memory.get(edge, 0.0), memory["n"])


def margins(below: Mapping[str, float], growth: float) -> dict[str, float]:
    """By positive finite edge, in growing order: the mass that crosses it when everything takes ``1 + growth`` times as long.

    ``below`` is the cumulative distribution at the edges. Between two edges the density of the logarithm is taken as even, and
    nothing lies below half the first one.
    """
    found = finite(below)
    if not found:
        return {}
    lowest = log(float(found[0]) / 2.0)
    curve = [(lowest, 0.0), *((log(float(edge)), below[edge]) for edge in found)]
    return {
        edge: max(LEAST, below[edge] - _interpolated(curve, log(float(edge)) - log1p(growth)))
        for edge in found
    }


def _interpolated(curve: Sequence[tuple[float, float]], at: float) -> float:
    """The height of a curve of straight lines; 0 to the left of it. ``at`` lies left of its end."""
    for (left, low), (right, high) in pairwise(curve):
        if left <= at <= right:
            return low + (high - low) * (at - left) / (right - left)
    return 0.0
