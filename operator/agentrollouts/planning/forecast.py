"""Many simulated rollouts: how long a promotion takes, and how soon a regression is caught and what it costs until then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from math import ceil, inf
from typing import NamedTuple, TypeVar

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.planning.run import Outcome
from agentrollouts.planning.simulation import WEEK, Pace, Simulated, simulate
from agentrollouts.planning.world import Sorts, World

EFFECTS = (0.0, -0.05, -0.10, -0.30)
"""The candidates that are forecast: as good as the old version, and worse by so much of its success."""
STRIDE = 0.05
"""The longest wait between two looks, as a part of the time since the start: forecast times are at most this much too long."""
MOST = 0.9
"""The other quantile beside the median."""

Key = TypeVar("Key")
Waits = Mapping[tuple[int, str], timedelta]


class Ending(NamedTuple):
    """One simulated rollout, without its looks."""

    outcome: Outcome
    took: timedelta
    excess: float
    reached: Mapping[int, timedelta]
    """By share in basis points: how long after the start the candidate had it."""
    waited: Waits
    held_by: Mapping[str, timedelta]
    reason: str
    message: str


class Times(NamedTuple):
    """Median and 90 % quantile over all runs; None where that part of the runs isn't there within the horizon."""

    median: timedelta | None
    most: timedelta | None


@dataclass(frozen=True, slots=True)
class Prospect:
    """What becomes of a candidate whose success differs by ``effect``. ``promoted`` and the like are parts of the runs."""

    effect: float
    runs: int
    promoted: float
    rolled_back: float
    paused: float
    unfinished: float
    promotion: Times
    caught: Times
    excess: tuple[float, float]
    """Median and 90 % quantile of the candidate's tasks that failed and wouldn't have with the old version."""
    reached: tuple[tuple[int, Times], ...]
    """When the candidate has each share."""
    waited: Waits
    """Mean time a run spent waiting, by share and reason."""
    held_by: Mapping[str, timedelta]
    """Mean time for which a check was among those that kept the candidate from its next step."""
    endings: Mapping[tuple[str, str], int]
    """Runs by (outcome, reason of the last decision)."""
    sentence: str
    """The last decision's message of the first run that was rolled back; empty if none was."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """One prospect for each effect, in the order asked for."""

    world: World
    horizon: timedelta
    prospects: tuple[Prospect, ...]

    @property
    def as_good(self) -> Prospect | None:
        """The candidate that is no worse, if it was asked for."""
        return next((each for each in self.prospects if each.effect == 0.0), None)


Spread = Callable[[Callable[[str], Ending], Iterable[str]], Iterable[Ending]]
"""How runs are carried out: ``map``, or one that uses several processes; the order of the results is that of the seeds."""


def forecast(
    spec: RolloutSpec,
    world: World,
    *,
    stable: str = "0.0.0",
    effects: Sequence[float] = EFFECTS,
    runs: int = 100,
    seed: int = 1,
    horizon: timedelta = WEEK,
    approval: timedelta | None = timedelta(0),
    spread: Spread = map,
) -> Forecast:
    """Simulate ``runs`` rollouts for each effect. The same seed gives the same forecast, however the runs are spread.

    Raises:
        NothingToPlanError: there is nothing to roll out, in a sentence.
    """
    prospects = []
    for effect in effects:
        changed = replace(world, effect=effect)
        one = partial(
            ending,
            spec,
            changed,
            stable=stable,
            pace=Pace(horizon, STRIDE),
            approval=approval,
            sorts=Sorts.of(spec, changed),
        )
        endings = list(spread(one, [f"{seed}/{effect}/{number}" for number in range(runs)]))
        prospects.append(prospect(effect, endings))
    return Forecast(world, horizon, tuple(prospects))


def ending(
    spec: RolloutSpec,
    world: World,
    seed: str,
    *,
    stable: str,
    pace: Pace,
    approval: timedelta | None,
    sorts: Sorts,
) -> Ending:
    """One run, cut down to what a forecast needs."""
    run = simulate(spec, world, seed=seed, stable=stable, pace=pace, approval=approval, sorts=sorts)
    last = run.looks[-1].decision
    return Ending(
        run.outcome, run.took, run.excess, _reached(run), run.waited, run.held_by, last.reason, last.message
    )


def _reached(run: Simulated) -> Mapping[int, timedelta]:
    begin, found = run.looks[0].at, dict[int, timedelta]()
    for look in run.looks:
        if look.share:
            found.setdefault(look.share, look.at - begin)
    return found


def prospect(effect: float, endings: Sequence[Ending]) -> Prospect:
    """What the runs have in common. Needs at least one."""
    count = len(endings)
    fates = Counter(each.outcome for each in endings)
    shares = sorted({share for each in endings for share in each.reached})
    excess = sorted(each.excess for each in endings)
    return Prospect(
        effect=effect,
        runs=count,
        promoted=fates["Promoted"] / count,
        rolled_back=fates["RolledBack"] / count,
        paused=fates["Paused"] / count,
        unfinished=fates["Unfinished"] / count,
        promotion=_times([each.took if each.outcome == "Promoted" else None for each in endings]),
        caught=_times([each.took if each.outcome == "RolledBack" else None for each in endings]),
        excess=(quantile(excess, 0.5), quantile(excess, MOST)),
        reached=tuple((share, _times([each.reached.get(share) for each in endings])) for share in shares),
        waited=_mean([each.waited for each in endings]),
        held_by=_mean([each.held_by for each in endings]),
        endings=Counter((each.outcome, each.reason) for each in endings),
        sentence=next((each.message for each in endings if each.outcome == "RolledBack"), ""),
    )


def _mean(times: Sequence[Mapping[Key, timedelta]]) -> Mapping[Key, timedelta]:
    sums: dict[Key, timedelta] = {}
    for each in times:
        for what, time in each.items():
            sums[what] = sums.get(what, timedelta(0)) + time / len(times)
    return sums


def _times(found: Sequence[timedelta | None]) -> Times:
    seconds = sorted(inf if time is None else time.total_seconds() for time in found)
    median, most = (quantile(seconds, part) for part in (0.5, MOST))
    return Times(*(None if value == inf else timedelta(seconds=value) for value in (median, most)))


def quantile(ordered: Sequence[float], part: float) -> float:
    """The smallest of the values, given in growing order, that at least this part of them doesn't exceed."""
    return ordered[max(0, ceil(part * len(ordered)) - 1)]
