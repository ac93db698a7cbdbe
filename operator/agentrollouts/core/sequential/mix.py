"""The mix of tools: the fraction of a session's calls that went to each. A name that is new counts like any other.

The total variation distance of two mixes is the largest difference over all sets of names, so "at most a tolerance apart"
bounds each set, and a few well chosen sets are tested. One holds the names the candidate used more often in earlier blocks,
and every name that nobody had used before this block; it has to be learnt. The others are known before the rollout: the names
that nobody had used until then, and all names but one of the most used, for that one may vanish.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from math import log
from typing import NamedTuple

from agentrollouts.core.sequential.evalue import mass
from agentrollouts.core.sequential.events import rising_logs
from agentrollouts.core.sequential.grid import near, near_ratio
from agentrollouts.core.sequential.measure import Block, Course, Sums
from agentrollouts.core.sequential.memory import kept
from agentrollouts.core.sequential.remembered import DOUBT, ENOUGH, remembered, smoothed
from agentrollouts.core.sequential.units import Units
from agentrollouts.core.sequential.wealth import FIRST, LATER, Wealth, grown, laid

RISES = (0.03, 0.08, 0.20, 0.50)
"""How much further apart than the tolerance the mixes might be: one bet each."""
WEIGHTS = (0.20, 0.30, 0.35, 0.15)
SHRINKING = 3.0
"""Units by which the candidate's mix is drawn to the old version's, so that a first session doesn't choose the set."""
LEARNING = 6.0
"""Units of the candidate before the first bet."""
MISSED = 6
"""Names at most that would be missed: the most used ones."""
STAKE = FIRST + LATER
"""What is laid at the start on sets that needn't be learnt."""
WHOLLY = (1.0,)
"""How much more often the other names are used when one has vanished: they are all there is."""
ONLY_KNOWN, WOULD_BE_MISSED = 0.0, 1.0
"""What is noted of each name that was used before the rollout."""
OLD, NEW, NEW_UNITS = "=", "+", "m"
"""What each side's names are marked with in the memory, so that a tool may have any name, and the candidate's units."""
MARKS = frozenset({OLD, NEW})


class Sides(NamedTuple):
    """A block of both versions."""

    candidate: Block
    old: Block
    sizes: float
    """As in ``Pair``."""


@dataclass(frozen=True, slots=True)
class Mix:
    """``tolerance`` apart is as good. A shift is no failure in itself, so there is no test that could promote."""

    tolerance: float = 0.05

    def begun(self, history: Block) -> Course:
        """The mix before. A third of the stake goes to each: what is learnt, what vanished, what is new."""
        course = Course(
            against=((0.0,) * len(RISES),),
            memory=remembered({"n": 0.0, NEW_UNITS: 0.0}, history.n, _marked(OLD, history.sums)),
        )
        if history.n < ENOUGH:
            return course
        missed = _missed(history, self.tolerance)
        vanished = tuple([STAKE / len(missed) for _ in missed])
        new = tuple([STAKE * weight for weight in WEIGHTS])
        fixed = dict.fromkeys(sorted(history.sums), ONLY_KNOWN) | dict.fromkeys(missed, WOULD_BE_MISSED)
        return course._replace(against=(*course.against, vanished, new), fixed=fixed)

    def folded(self, course: Course, candidate: Block, old: Block) -> Course:
        """The sets come from the blocks before this one, or from before the rollout."""
        sides = Sides(candidate, old, near_ratio(candidate.n / old.n))
        learnt, *known = course.against
        blocks, learnt = self._learnt(course.blocks, learnt, course.memory, sides)
        if known:
            vanished, new = known
            known = [self._vanished(course, vanished, sides), self._new(course, new, sides)]
        return course._replace(
            blocks=blocks, against=(learnt, *known), memory=_after(course.memory, candidate, old)
        )

    def _learnt(self, blocks: int, held: Wealth, memory: Sums, sides: Sides) -> tuple[int, Wealth]:
        """Blocks with a bet, and the wealth of the bets that the names used more so far go on being used more."""
        names = _names(memory)
        more = _used_more(memory, names, self.tolerance)
        if memory[NEW_UNITS] < LEARNING or not more:
            return blocks, held
        often = smoothed(sum([memory.get(OLD + name, 0.0) for name in more]), memory["n"])
        usual = names.difference(more)
        others = _others(usual, sides.candidate), _others(usual, sides.old)
        won = self._logs(often, sides, others, RISES)
        return blocks + 1, laid(held, blocks + 1, WEIGHTS, won)

    def _vanished(self, course: Course, held: Wealth, sides: Sides) -> Wealth:
        """The wealth of the bets that a name vanished, one for each that would be missed."""
        memory, won = course.memory, list[float]()
        ours, theirs = sides.candidate.sums, sides.old.sums
        used, before = sum(ours.values()), sum(theirs.values())
        for name, kind in course.fixed.items():
            if kind == WOULD_BE_MISSED:
                often = 1.0 - smoothed(memory[OLD + name], memory["n"])
                others = used - ours.get(name, 0.0), before - theirs.get(name, 0.0)
                won += self._logs(often, sides, others, WHOLLY)
        return grown(held, won)

    def _new(self, course: Course, held: Wealth, sides: Sides) -> Wealth:
        """The wealth of the bets on names that nobody had used before the rollout."""
        memory, known = course.memory, course.fixed
        new = [part for name, part in memory.items() if name[0] == OLD and name[1:] not in known]
        others = _others(known, sides.candidate), _others(known, sides.old)
        return grown(held, self._logs(smoothed(sum(new), memory["n"]), sides, others, RISES))

    def _logs(
        self, often: float, sides: Sides, others: tuple[float, float], rises: tuple[float, ...]
    ) -> list[float]:
        """Of bets that a set of names is used more, to which ``others`` of each side's units went; ``often`` by the old."""
        new, old = sides.candidate.n, sides.old.n
        masses = mass(Units.counted(new, others[0])), mass(Units.counted(old, old - others[1]))
        return rising_logs(near(often), masses, sides.sizes, self.tolerance, rises)


def distance(first: Sums, second: Sums, units: tuple[float, float]) -> float:
    """Total variation distance of two mixes, from 0 to 1, over the names of both. ``units`` are positive."""
    one, other = units
    return 0.5 * sum(
        abs(first.get(name, 0.0) / one - second.get(name, 0.0) / other) for name in sorted({*first, *second})
    )


def _missed(history: Block, tolerance: float) -> tuple[str, ...]:
    """Names used so much more than the tolerance that they would be missed, the most used first."""
    used = sorted((-amount, name) for name, amount in history.sums.items())[:MISSED]
    return tuple([name for less, name in used if -less > 2.0 * tolerance * history.n])


def _others(usual: Container[str], side: Block) -> float:
    """A side's units by the part that went to other names than the usual ones."""
    return sum([part for name, part in side.sums.items() if name not in usual])


def _names(memory: Sums) -> frozenset[str]:
    return frozenset(name[1:] for name, part in memory.items() if part > 0.0 and name[0] in MARKS)


def _marked(mark: str, sums: Sums) -> Sums:
    return {mark + name: part for name, part in sums.items()}


def _used_more(memory: Sums, names: frozenset[str], tolerance: float) -> tuple[str, ...]:
    """The set of ``names`` to bet on, among those that take the names by how much more the candidate uses them.

    It is the one whose excess over the tolerance would be found soonest. The candidate's mix is drawn to the old one's. In a
    settled order, so that sums over it come out the same in every process.
    """
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
    """What is remembered with one more block; each side's part fades by its own units."""
    ours, theirs = kept(memory[NEW_UNITS], candidate.n), kept(memory["n"], candidate.n + old.n)
    after = {
        name: part * (ours if name[0] == NEW or name == NEW_UNITS else theirs)
        for name, part in memory.items()
    }
    after[NEW_UNITS] += candidate.n
    after["n"] += old.n
    for mark, side in ((OLD, old), (NEW, candidate)):
        for name, part in side.sums.items():
            after[mark + name] = after.get(mark + name, 0.0) + part
    return after
