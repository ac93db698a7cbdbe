"""Evidence: what each version achieved in each cohort since a candidate started, as sums of raw counters.

Raw counters are folded pod by pod with reset detection, never ``rate()`` or ``increase()``: those extrapolate to numbers
nobody counted. A missed scrape only makes the next difference larger, and a pod that is gone keeps what it had counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from agentrollouts.core.sequential.trial import Trial
from agentrollouts.core.sliding import Sliding


class CounterQuery(NamedTuple):
    """One counter, and the one label of it that is kept beside the identity (empty: none).

    Counters of one ``bundle`` are read at the same moment, all or none: a sum over sessions is worth nothing beside a number of
    sessions from the scrape before.
    """

    metric: str
    dimension: str = ""
    bundle: str = ""


class SeriesKey(NamedTuple):
    """Whose counter it is. ``pod`` is empty for counters that don't come from pods."""

    version: str
    cohort: str
    pod: str
    value: str


class Point(NamedTuple):
    """One raw sample: seconds since the epoch, and the counter."""

    time: float
    value: float


class Series(NamedTuple):
    """Raw samples of one counter of one rollout's agent, oldest first."""

    query: CounterQuery
    key: SeriesKey
    points: tuple[Point, ...]


class Cell(NamedTuple):
    """One number of a cohort: a metric and the value of its kept label."""

    metric: str
    value: str = ""


class Arm(NamedTuple):
    """A version in a cohort. Counters without a cohort label have an empty cohort."""

    version: str
    cohort: str


Totals = Mapping[Cell, float]


PAST_THE_ROUTER = "none"
"""Cohort of calls that came to a version's own Service, such as those of an evaluation: they count for no rollout."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Evidence that couldn't be had, and why. It is a value: it means Hold, never a pass and never a rollback."""

    reason: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query of the user's own said of one agent when it was last asked: every value of each arm, as it came."""

    values: Mapping[Arm, tuple[float, ...]]
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """Sums by arm: ``total`` since the candidate started, ``recent`` over the analysis window (the same if there is none)."""

    total: Mapping[Arm, Totals]
    recent: Mapping[Arm, Totals]
    as_of: datetime
    within: Mapping[timedelta, Mapping[Arm, Totals]] = field(default_factory=dict)
    """Sums over each of the other windows that are asked for."""
    before: Mapping[Arm, Totals] = field(default_factory=dict)
    """What the counters showed when the candidate started: the past of the pods that lived then."""
    grew: Mapping[Arm, float] = field(default_factory=dict)
    """When a counter of an arm last grew, in seconds since the epoch."""
    trial: Trial | None = None
    """The sequential test after this look; None where there is none."""
    asked: Mapping[str, Asked | Unavailable] = field(default_factory=dict)
    """By check: what its own query said last."""

    def pooled(
        self,
        version: str,
        *,
        cohorts: Iterable[str] | None = None,
        recent: bool = False,
        window: timedelta | None = None,
    ) -> Totals:
        """One version's sums over the given cohorts (by default all that the router made); empty over a window that wasn't measured."""
        wanted = None if cohorts is None else frozenset(cohorts)
        source = self.recent if recent else self.total
        if window is not None:
            source = self.within.get(window, {})
        pooled: dict[Cell, float] = {}
        for arm, totals in source.items():
            if arm.version == version and (
                arm.cohort != PAST_THE_ROUTER if wanted is None else arm.cohort in wanted
            ):
                for cell, amount in totals.items():
                    pooled[cell] = pooled.get(cell, 0.0) + amount
        return MappingProxyType(pooled)


def sum_of(totals: Totals, metric: str, *values: str) -> float:
    """Sum of a metric's cells, of the named label values only if any are named."""
    if not values:
        return sum([n for cell, n in totals.items() if cell.metric == metric])
    return sum([n for cell, n in totals.items() if cell.metric == metric and cell.value in values])


@dataclass(slots=True)
class _Counter:
    """Where a counter stood, and the sum it adds to."""

    last: float
    cells: dict[Cell, float]
    cell: Cell


@dataclass(slots=True)
class Accumulator:
    """Folds raw samples of one rollout's agent into sums since ``since``.

    The first samples loaded are history (:meth:`load`): what a counter showed at ``since`` is its baseline, and a counter
    that appears later starts from zero, because agents create every label set at zero. After an operator restart the same
    load over the same history gives the same sums.
    """

    since: float
    window: timedelta = timedelta(0)
    window_of: tuple[str, str] | None = None
    """(version, metric) whose events measure the window, instead of time."""
    window_size: float = 0.0
    """Length of that window, in events."""
    others: tuple[timedelta, ...] = ()
    """Other windows to measure over, always in time."""
    _counters: dict[tuple[CounterQuery, SeriesKey], _Counter] = field(default_factory=dict)
    _totals: dict[Arm, dict[Cell, float]] = field(default_factory=dict)
    _windows: dict[timedelta | None, Sliding] = field(default_factory=dict)
    _before: dict[Arm, dict[Cell, float]] = field(default_factory=dict)
    _grew: dict[Arm, float] = field(default_factory=dict)

    def load(self, history: Iterable[Series], *, newcomer: str = "", looks: Iterable[datetime] = ()) -> None:
        """Begin from raw history that reaches back to before ``since``.

        ``looks`` are rising moments at which the windows get a checkpoint, as if somebody had looked then: without any, a window
        reaches back to ``since`` until it has gone by.

        ``newcomer`` is the version that came at ``since``. Any other version was there before; when history knows none of
        its samples from then (a metric server that lost its data), its first ones are the baseline, or a whole life of
        tasks would count as gained since.
        """
        known, rest = list(history), list[tuple[SeriesKey, _Counter, tuple[Point, ...]]]()
        seen_before = {s.key.version for s in known if s.points and s.points[0].time <= self.since}
        for series in known:
            before = [point for point in series.points if point.time <= self.since]
            forgotten = newcomer and series.key.version != newcomer and series.key.version not in seen_before
            if not before and forgotten and series.points:
                before = [series.points[0]]
            counter = self._counter(series.query, series.key)
            counter.last = before[-1].value if before else 0.0
            past = self._before.setdefault(Arm(series.key.version, series.key.cohort), {})
            past[counter.cell] = past.get(counter.cell, 0.0) + counter.last
            rest.append((series.key, counter, series.points[len(before) :]))
        for moment in looks:
            rest = [(key, counter, self._upto(moment, key, counter, points)) for key, counter, points in rest]
            self.evidence(moment)
        for key, counter, points in rest:
            self._take(key, counter, points)

    def add(self, current: Iterable[Series]) -> None:
        """Fold in the newest samples."""
        counters = self._counters
        for query, key, points in current:
            self._take(key, counters.get((query, key)) or self._counter(query, key), points)

    def evidence(self, now: datetime) -> Evidence:
        """The sums as they stand, and a checkpoint for the sliding window."""
        total = {arm: cells.copy() for arm, cells in self._totals.items()}
        moment = now.timestamp()
        recent: Mapping[Arm, Totals] = total
        if self.window_of:
            recent = self._sliding(None, self.window_size).slide(self._weight(), total)
        elif self.window:
            recent = self._sliding(self.window, self.window.total_seconds()).slide(moment, total)
        within = {
            window: self._sliding(window, window.total_seconds()).slide(moment, total)
            for window in self.others
        }
        return Evidence(
            total=MappingProxyType(total),
            recent=recent,
            as_of=now,
            within=within,
            before=self._before,
            grew=self._grew.copy(),
        )

    def _upto(
        self, moment: datetime, key: SeriesKey, counter: _Counter, points: tuple[Point, ...]
    ) -> tuple[Point, ...]:
        """Take the points until a moment; the others are left."""
        count = bisect_right(points, (moment.timestamp(), float("inf")))
        self._take(key, counter, points[:count])
        return points[count:]

    def _take(self, key: SeriesKey, counter: _Counter, points: Sequence[Point]) -> None:
        if _fold(counter, points) > 0.0:
            arm = Arm(key.version, key.cohort)
            self._grew[arm] = max(points[-1].time, self._grew.get(arm, 0.0))

    def _sliding(self, name: timedelta | None, size: float) -> Sliding:
        return self._windows.setdefault(name, Sliding(size))

    def _counter(self, query: CounterQuery, key: SeriesKey) -> _Counter:
        """A counter that is new: it begins at zero."""
        cells = self._totals.setdefault(Arm(key.version, key.cohort), {})
        cell = Cell(query.metric, key.value)
        cells.setdefault(cell, 0.0)
        counter = self._counters[query, key] = _Counter(0.0, cells, cell)
        return counter

    def _weight(self) -> float:
        assert self.window_of is not None
        version, metric = self.window_of
        return sum(sum_of(cells, metric) for arm, cells in self._totals.items() if arm.version == version)


def _fold(counter: _Counter, points: Iterable[Point]) -> float:
    """Add what a counter gained, and say it. A smaller value is a restarted process that counts from zero again."""
    last, gained = counter.last, 0.0
    for _, value in points:
        gained += value - last if value >= last else value
        last = value
    counter.last = last
    counter.cells[counter.cell] += gained
    return gained
