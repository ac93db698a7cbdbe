"""What happens in one rollout to several metrics, whoever judges it.

Sessions are drawn from pools that are made once for a scenario. A candidate's pool is made with the same random numbers as
the old version's, so that both differ by the effect and by nothing else: where there is none, the pools are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from math import exp
from random import Random
from typing import NamedTuple

from bench.decisions.metric_scenarios import CAP, EDGES, LAG, MIX, TOOLS, MetricScenario
from bench.decisions.samplers import poisson

POOL = 4000
"""Sessions in a pool."""
HISTORY = 30
"""Ticks of all traffic that the old version has served before the rollout."""
DEARER, SLOWER = 0.6, 0.8
"""How much dearer and slower everything is at the busiest hour."""
BUSY = (1.0, 0.0, -0.5, 1.0, 0.0, 0.0)
"""How much more often each tool is used then."""
FAILING, REFUSING = 0.08, 0.03
"""Failures and refusals that come on top then."""

Row = tuple[float, ...]
"""One session, or the sum over several: see ``Sums``."""


class Sums(NamedTuple):
    """A row by its parts. The means of a session's tasks; ``n`` is 1 for one session. Cost in parts of the cap."""

    n: float
    cost: float
    squares: float
    below: Row
    tools: Row
    refusals: float
    success: float

    @classmethod
    def of(cls, row: Row) -> Sums:
        """Names for the columns."""
        latency, tools = 3 + len(EDGES), 3 + len(EDGES) + len(TOOLS)
        return cls(row[0], row[1], row[2], row[3:latency], row[latency:tools], row[tools], row[tools + 1])


WIDTH = 5 + len(EDGES) + len(TOOLS)
NOTHING: Row = (0.0,) * WIDTH


class Seen(NamedTuple):
    """Until a tick, by cohort (candidate, control, stable): sessions assigned, and the sums over those that closed."""

    assigned: tuple[float, ...]
    rows: tuple[Row, ...]


class MetricStream:
    """One rollout. Draws depend on the scenario, the seed and the number of the repetition, and on no rule."""

    def __init__(self, scenario: MetricScenario, seed: int, repetition: int) -> None:
        chance = Random(f"{seed}/{scenario.name}/{repetition}")
        self._pools = pools(scenario, seed)
        number = poisson(HISTORY * scenario.rate).draw(chance)
        past = _sum([NOTHING, *chance.choices(self._pools(0, candidate=False), k=number)])
        self._seen = [Seen((0.0, 0.0, float(number)), (NOTHING, NOTHING, past))]
        self._source = self._ticks(scenario, chance)

    @property
    def past(self) -> Seen:
        """Before the rollout."""
        return self._seen[0]

    def seen(self, tick: int) -> Seen:
        """At the end of a tick, from 0."""
        while len(self._seen) <= tick + 1:
            self._seen.append(next(self._source))
        return self._seen[tick + 1]

    def _ticks(self, scenario: MetricScenario, chance: Random) -> Iterator[Seen]:
        assigned, rows = self._seen[0]
        begun: list[list[int]] = []
        for tick in range(scenario.ticks):
            shares = scenario.split or scenario.shares(tick)
            begun.append([poisson(scenario.rate * share).draw(chance) for share in shares])
            assigned = tuple([old + new for old, new in zip(assigned, begun[-1], strict=True)])
            closed = list(rows)
            for at, lag in enumerate((scenario.lag, LAG, LAG)):
                if tick >= lag:
                    pool = self._pools(scenario.phase(tick - lag), candidate=at == 0)
                    closed[at] = _sum([rows[at], *chance.choices(pool, k=begun[tick - lag][at])])
            rows = tuple(closed)
            yield Seen(assigned, rows)


def _sum(rows: Sequence[Row]) -> Row:
    return tuple(map(sum, zip(*rows, strict=True)))


class Pools:
    """The pools of a scenario, made as they are needed."""

    def __init__(self, scenario: MetricScenario, seed: int) -> None:
        self._scenario, self._seed = scenario, seed
        self._made: dict[tuple[int, bool], list[Row]] = {}

    def __call__(self, phase: int, *, candidate: bool) -> list[Row]:
        """The sessions of a part of the day."""
        key = (phase, candidate)
        if key not in self._made:
            chance = Random(f"{self._seed}/{self._scenario.name}/pool {phase}")
            self._made[key] = [
                session(self._scenario, self._scenario.wave(phase), chance, candidate=candidate)
                for _ in range(POOL)
            ]
        return self._made[key]


@lru_cache(maxsize=2)
def pools(scenario: MetricScenario, seed: int) -> Pools:
    """One for all repetitions."""
    return Pools(scenario, seed)


class Traits(NamedTuple):
    """What a version is like at an hour."""

    dear: float
    slow: float
    mix: Row
    refusing: float
    succeeding: float


def traits(scenario: MetricScenario, wave: float, *, candidate: bool) -> Traits:
    """The old version's, or the candidate's with all its effects."""
    mix = [
        part * (1.0 + wave * more)
        for part, more in zip(scenario.mix if candidate else MIX, BUSY, strict=True)
    ]
    whole = sum(mix)
    dear, slow = 1.0 + DEARER * wave, 1.0 + SLOWER * wave
    refusing, succeeding = 0.03 + REFUSING * wave, 0.95 - FAILING * wave
    if candidate:
        dear, slow = dear * scenario.cost, slow * scenario.latency
        refusing, succeeding = refusing + scenario.refusals, succeeding + scenario.success
    return Traits(dear, slow, tuple(accumulate([part / whole for part in mix])), refusing, succeeding)


def session(scenario: MetricScenario, wave: float, chance: Random, *, candidate: bool) -> Row:
    """One session. Tasks of a tied one share the size of the question, the tool and every fate."""
    is_like = traits(scenario, wave, candidate=candidate)
    is_tied = chance.random() < scenario.tied
    tasks, fate = [], None
    for _ in range(scenario.size):
        fate = fate if fate is not None and is_tied else _fate(chance)
        tasks.append(_task(is_like, fate, chance))
    n = len(tasks)
    cost, *others = [column / n for column in _sum(tasks)]
    return (1.0, cost, cost * cost, *others)


Fate = tuple[float, bool, float, float, float]


def _fate(chance: Random) -> Fate:
    """(size of the question, whether it runs away, and what tool, refusal and success hang on)."""
    return (
        chance.gauss(0.0, 1.0),
        chance.random() < 0.03,
        chance.random(),
        chance.random(),
        chance.random(),
    )


def _task(is_like: Traits, fate: Fate, chance: Random) -> Row:
    """Cost in parts of the cap, under each edge, by tool, refused, succeeded. Large questions are dear and slow."""
    size, runs_away, tool, refused, well = fate
    # NB: every number is drawn whatever becomes of it, so that both versions' pools use the same ones.
    own, slowness, tail = chance.gauss(0.0, 1.0), chance.gauss(0.0, 1.0), 1.0 - chance.random()
    cost = 5.0 * tail ** (-1.0 / 1.3) if runs_away else exp(0.8 * (0.6 * size + 0.8 * own))
    seconds = 8.0 * exp(0.7 * (0.6 * size + 0.8 * slowness)) * is_like.slow
    used = sum(tool > below for below in is_like.mix[:-1])
    return (
        min(cost * is_like.dear, CAP) / CAP,
        *[float(seconds <= edge) for edge in EDGES],
        *[float(used == at) for at in range(len(TOOLS))],
        float(refused < is_like.refusing),
        float(well < is_like.succeeding),
    )
