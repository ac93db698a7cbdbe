"""The mix of tools: the fraction of a session's calls that went to each. A name that is new counts like any other.

The total variation distance of two mixes is the largest difference over all sets of names, so "at most a tolerance apart"
bounds each set, and one well chosen set is tested: the names the candidate used more often in earlier blocks, and every
name that nobody had used before this block.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

from agentrollouts.core.sequential.events import stepped
from agentrollouts.core.sequential.measure import Block, Course, Sums
from agentrollouts.core.sequential.memory import kept
from agentrollouts.core.sequential.remembered import DOUBT, faded, remembered, smoothed
from agentrollouts.core.sequential.units import Units

RISES = (0.02, 0.04, 0.08, 0.15, 0.30, 0.60)
"""How much further apart than the tolerance the mixes might be: one bet each."""
WEIGHTS = (0.10, 0.15, 0.20, 0.25, 0.20, 0.10)
SHRINKING = 3.0
"""Units by which the candidate's mix is drawn to the old version's, so that a first session doesn't choose the set."""
LEARNING = 6.0
"""Units of the candidate before the first bet."""
OLD, NEW, NEW_UNITS = "=", "+", "m"
"""What each side's names are marked with in the memory, so that a tool may have any name, and the candidate's units."""


@dataclass(frozen=True, slots=True)
class Mix:
    """``tolerance`` apart is as good. A shift is no failure in itself, so there is no test that could promote."""

    tolerance: float = 0.05

    def begun(self, history: Block) -> Course:
        """The mix before."""
        return Course(
            against=((0.0,) * len(RISES),),
            memory=remembered({"n": 0.0, NEW_UNITS: 0.0}, history.n, _marked(OLD, history.sums)),
        )

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:
        """The set comes from the blocks before this one."""
        memory, after = course.memory, _after(course.memory, candidate, old)
        more, known = _used_more(memory, self.tolerance), _names(memory)
        if memory[NEW_UNITS] < LEARNING or not more:
            return course._replace(memory=after)
        chosen = frozenset(more)
        q = smoothed(sum([memory.get(OLD + name, 0.0) for name in more]), memory["n"])
        sides = tuple(
            Units.counted(
                side.n,
                side.n
                - sum([part for name, part in side.sums.items() if name in chosen or name not in known]),
            )
            for side in (candidate, old)
        )
        against, _ = stepped(
            (course.against[0], ()),
            course.blocks + 1,
            q,
            (sides[0], sides[1]),
            tolerance=self.tolerance,
            margin=0.0,
            rises=RISES,
            weights=WEIGHTS,
        )
        return Course(blocks=course.blocks + 1, against=(against,), memory=after)


def distance(first: Sums, second: Sums, units: tuple[float, float]) -> float:
    """Total variation distance of two mixes, from 0 to 1, over the names of both. ``units`` are positive."""
    one, other = units
    return 0.5 * sum(
        abs(first.get(name, 0.0) / one - second.get(name, 0.0) / other) for name in sorted({*first, *second})
    )


def _names(memory: Sums) -> frozenset[str]:
    return frozenset(name[1:] for name, part in memory.items() if part > 0.0 and name[0] in {OLD, NEW})


def _marked(mark: str, sums: Sums) -> Sums:
    return {mark + name: part for name, part in sums.items()}


def _used_more(memory: Sums, tolerance: float) -> tuple[str, ...]:
    """The set of names to bet on, among those that take the names by how much more the candidate uses them.

    It is the one whose excess over the tolerance would be found soonest. The candidate's mix is drawn to the old one's. In a
    settled order, so that sums over it come out the same in every process.
    """
    names = _names(memory)
    old, doubt = max(memory["n"], 1e-9), DOUBT * (len(names) + 1)
    mixes = []
    for name in names:
        before = memory.get(OLD + name, 0.0)
        ours = (memory.get(NEW + name, 0.0) + before / old * SHRINKING + DOUBT) / (
            memory[NEW_UNITS] + SHRINKING + doubt
        )
        theirs = (before + DOUBT) / (old + doubt)
        mixes.append((ours / theirs, name, ours, theirs))
    chosen: tuple[str, ...] = ()
    best = new = usual = 0.0
    taken: list[str] = []
    for _, name, ours, theirs in sorted(mixes, reverse=True)[:-1]:
        taken.append(name)
        new, usual = new + ours, usual + theirs
        worth = _divergence(new, usual + tolerance)
        if worth > best:
            best, chosen = worth, tuple(taken)
    return chosen


def _divergence(new: float, null: float) -> float:
    """What one unit of the candidate adds to the evidence, if its set gets ``new`` where at most ``null`` is as good."""
    if not null < new < 1.0:
        return 0.0
    return new * log(new / null) + (1.0 - new) * log((1.0 - new) / (1.0 - null))


def _after(memory: Sums, candidate: Block, old: Block) -> Sums:
    fade = kept(memory[NEW_UNITS], candidate.n)
    ours = {name: part * fade for name, part in memory.items() if name == NEW_UNITS or name[0] == NEW}
    theirs = {name: part for name, part in memory.items() if name not in ours}
    ours[NEW_UNITS] += candidate.n
    for name, part in _marked(NEW, candidate.sums).items():
        ours[name] = ours.get(name, 0.0) + part
    return {**faded(theirs, candidate.n + old.n, Block(old.n, _marked(OLD, old.sums))), **ours}
