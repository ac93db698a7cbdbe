"""A synthetic agent and its callers: sessions drawn by cohort and minute, turned into the counters that agents report."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import NamedTuple

from agentrollouts.api.agentroute import Arm as RouteArm
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.scalars import FULL
from agentrollouts.core.evidence import Arm, Cell
from agentrollouts.planning.draws import beta_binomial, poisson
from agentrollouts.planning.sessions import SHAPES, Session, cells_of

Counters = Mapping[Arm, Mapping[Cell, float]]
"""Cumulative counters by version and cohort, as a scrape would show them, summed over pods."""
HISTORY = 1440.0
"""Minutes of traffic that the old version's counters show when the rollout begins."""
COHORTS = ("candidate", "control", "stable")


@dataclass(frozen=True, slots=True)
class World:
    """What is assumed about the agent and its callers.

    ``sessions_per_minute`` are those of all versions together; ``success`` is the old version's success rate over tasks and
    ``effect`` what is added for the candidate (-0.1 is ten points worse), both fractions; ``correlation`` is that of two tasks of
    one session.

    Raises:
        ValueError: a number out of its range, in a sentence.
    """

    sessions_per_minute: float
    success: float = 0.95
    effect: float = 0.0
    tasks_per_session: int = 3
    correlation: float = 0.3
    cost: float = 0.1
    """Mean cost of a task as a part of the cap that session costs are cut at: the smaller, the less a difference shows."""

    def __post_init__(self) -> None:
        _within("sessions per minute", self.sessions_per_minute, 1e-4, 1e5)
        _within("the success rate", self.success, 0.0, 1.0)
        _within("the effect", self.effect, -1.0, 1.0)
        _within("tasks per session", self.tasks_per_session, 1, 50)
        _within("the correlation", self.correlation, 0.0, 1.0)
        _within("the mean cost of a task as a part of the cap", self.cost, 0.0, 0.45)

    @property
    def candidate_success(self) -> float:
        """The candidate's success rate: no rate leaves 0 to 1."""
        return min(1.0, max(0.0, self.success + self.effect))

    @property
    def excess(self) -> float:
        """How many of the candidate's tasks fail that the old version would have done well, as a fraction."""
        return max(0.0, self.success - self.candidate_success)


class Kinds(NamedTuple):
    """The sessions a version may have: the chance of each, the sums of the chances, and what each adds to the counters."""

    chances: tuple[float, ...]
    upto: tuple[float, ...]
    amounts: tuple[tuple[tuple[Cell, float], ...], ...]


def kinds_of(spec: RolloutSpec, world: World, success: float) -> Kinds:
    """By number of successes and by shape; what can't happen is left out."""
    tasks = world.tasks_per_session
    found = [
        (chance * shape.chance, cells_of(spec, Session(shape, good, tasks, world.cost)))
        for good, chance in enumerate(beta_binomial(tasks, success, world.correlation))
        for shape in SHAPES
        if chance > 0.0
    ]
    chances = tuple(chance for chance, _ in found)
    return Kinds(chances, tuple(accumulate(chances)), tuple(amounts for _, amounts in found))


class Sorts(NamedTuple):
    """The sessions of the old version and of the candidate; made once, shared by all runs."""

    old: Kinds
    new: Kinds

    @classmethod
    def of(cls, spec: RolloutSpec, world: World) -> Sorts:
        """Those of a world, with the counters that a rollout reads."""
        return cls(kinds_of(spec, world, world.success), kinds_of(spec, world, world.candidate_success))


@dataclass(slots=True)
class Traffic:
    """One seed's callers. Cumulative: what has been served stays in the counters."""

    world: World
    sorts: Sorts
    candidate: str
    stable: str
    random: Random
    served: float = 0.0
    """Sessions of the candidate so far."""
    _sums: dict[Arm, dict[Cell, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for cohort in COHORTS:
            self._sums[self._arm(cohort)] = dict.fromkeys(
                (cell for cell, _ in self.sorts.old.amounts[0]), 0.0
            )
        self._serve("stable", HISTORY * self.world.sessions_per_minute)

    def serve(self, minutes: float, arms: Iterable[RouteArm]) -> None:
        """What comes in within so many minutes with the shares of these arms of a route."""
        for arm in arms:
            self._serve(arm.cohort, minutes * self.world.sessions_per_minute * arm.share / FULL)

    def counters(self) -> Counters:
        """The counters as they stand."""
        return {arm: cells.copy() for arm, cells in self._sums.items()}

    def _arm(self, cohort: str) -> Arm:
        return Arm(self.candidate if cohort == "candidate" else self.stable, cohort)

    def _serve(self, cohort: str, expected: float) -> None:
        kinds = self.sorts.new if cohort == "candidate" else self.sorts.old
        sums = self._sums[self._arm(cohort)]
        for amounts, count in _drawn(self.random, kinds, expected):
            if cohort == "candidate":
                self.served += count
            for cell, amount in amounts:
                sums[cell] += amount * count


def _drawn(
    random: Random, kinds: Kinds, expected: float
) -> Sequence[tuple[tuple[tuple[Cell, float], ...], int]]:
    """How many sessions of which kind. Few are drawn one by one; of many, each kind is a Poisson count of its own: both exact."""
    if expected < len(kinds.chances):
        last = len(kinds.chances) - 1
        return [
            (kinds.amounts[min(last, bisect(kinds.upto, random.random()))], 1)
            for _ in range(poisson(random, expected))
        ]
    counts = [poisson(random, expected * chance) for chance in kinds.chances]
    return [(amounts, count) for amounts, count in zip(kinds.amounts, counts, strict=True) if count]


def _within(what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"expected {what} from {low:g} to {high:g}; got {value:g}")
