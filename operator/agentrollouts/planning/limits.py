"""What a rollout waits for, and what can't work: sentences that say what to change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, NamedTuple

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.scalars import FULL, format_percent
from agentrollouts.core.trials import is_sequential
from agentrollouts.planning.forecast import Forecast, Prospect
from agentrollouts.planning.run import own_queries_of
from agentrollouts.planning.spans import lasting
from agentrollouts.planning.world import World

What = Literal["soak", "minimumSessions", "evidence", "warnings", "approval", "other"]
_WHAT: MappingProxyType[str, What] = MappingProxyType(
    {
        "FirstShare": "soak",
        "StepDone": "soak",
        "Soaking": "soak",
        "TooFewSamples": "minimumSessions",
        "GatheringEvidence": "evidence",
        "ChecksInconclusive": "evidence",
        "ChecksWarn": "warnings",
        "ChecksFail": "warnings",
        "FailureRate": "warnings",
        "ApprovalNeeded": "approval",
    }
)
_ADVICE: MappingProxyType[What, str] = MappingProxyType(
    {
        "soak": "the steps' soaks; more traffic makes it no faster",
        "minimumSessions": "until minimumSessions have been seen; more traffic or a larger share makes it shorter",
        "evidence": "until every check has enough evidence; more traffic, wider limits or a larger"
        " errorBudget.falsePromotion make it shorter",
        "warnings": "checks lean against it by chance; more traffic or wider tolerances make it shorter",
        "approval": "until people approve",
        "other": "something else",
    }
)
PAUSED = "NoEvidence"
"""The reason of a pause for want of evidence."""
RARELY = 1.0
"""Sessions an hour below which a share shows hardly anything."""
LOW = 0.05
"""Part of the cap below which a mean cost is hard to tell from another."""
OFTEN = 0.1
"""The part of the runs from which on a mistake is worth a warning."""


class Limit(NamedTuple):
    """One thing a candidate as good as the old version waits for, over all steps. ``share``: where most of it is waited."""

    what: What
    share: int
    time: timedelta
    sentence: str


class Demand(NamedTuple):
    """What one step asks for before the next: share in basis points, soak, and samples."""

    share: int
    soak: timedelta
    minimum: int


def demands(spec: RolloutSpec) -> tuple[Demand, ...]:
    """Those of each step; of a share that tunes itself, of the first one."""
    tuning, floor = spec.strategy.self_tuning, spec.analysis.effective.minimum_sessions
    if tuning is not None:
        first = min(tuning.start, tuning.ceiling)
        return (Demand(first, tuning.interval, tuning.minimum_samples),)
    return tuple(
        Demand(step.share, step.soak, floor if step.minimum_sessions is None else step.minimum_sessions)
        for step in spec.strategy.effective_steps()
    )


def limits(prospect: Prospect) -> tuple[Limit, ...]:
    """What takes the time of these runs, the longest first; what takes less than a fiftieth is left out.

    A pause is no wait: it lasts as long as nobody comes, here to the horizon. :func:`findings` tells of it.
    """
    waits = {what: time for what, time in prospect.waited.items() if what[1] != PAUSED}
    whole = sum(waits.values(), timedelta(0))
    by: dict[What, dict[int, timedelta]] = {}
    for (share, reason), time in waits.items():
        spent = by.setdefault(_WHAT.get(reason, "other"), {})
        spent[share] = spent.get(share, timedelta(0)) + time
    found = [_limit(what, spent, whole, prospect) for what, spent in by.items()]
    return tuple(sorted((each for each in found if each.time * 50 >= whole), key=lambda each: -each.time))


def _limit(what: What, spent: dict[int, timedelta], whole: timedelta, prospect: Prospect) -> Limit:
    time, share = sum(spent.values(), timedelta(0)), max(spent, key=lambda each: spent[each])
    where = f", most of it at {format_percent(share)}" if len(spent) > 1 and share else ""
    checks = f" ({_checks(prospect)})" if what == "evidence" and prospect.held_by else ""
    return Limit(what, share, time, f"{lasting(time)} of {lasting(whole)}{where}: {_ADVICE[what]}{checks}")


def _checks(prospect: Prospect) -> str:
    """The checks that hold longest, at most three."""
    longest = sorted(prospect.held_by.items(), key=lambda each: (-each[1], each[0]))[:3]
    return "held by " + ", ".join(f"{name} for {lasting(time)}" for name, time in longest)


def warnings(spec: RolloutSpec, world: World, horizon: timedelta) -> tuple[str, ...]:
    """What soak, samples and traffic say before anything is simulated."""
    found = [sentence for demand in demands(spec) for sentence in _of_step(spec, world, demand)]
    soaks = sum((demand.soak for demand in demands(spec)), timedelta(0))
    if soaks > horizon:
        found.append(f"the soaks alone take {lasting(soaks)}, and the horizon is {lasting(horizon)}")
    if spec.paused:
        found.append("spec.paused is true, so nothing advances until it isn't; this is what happens then")
    return (*found, *left_out(spec))


def left_out(spec: RolloutSpec) -> tuple[str, ...]:
    """What a simulation says nothing about."""
    names = own_queries_of(spec)
    if not names:
        return ()
    are = "is a promql check" if len(names) == 1 else "are promql checks"
    return (
        f"{', '.join(names)} {are}: that asks your Prometheus and can't be simulated, so it is left out here",
    )


def _of_step(spec: RolloutSpec, world: World, demand: Demand) -> Iterator[str]:
    analysis, share = spec.analysis.effective, format_percent(demand.share)
    a_minute = world.sessions_per_minute * demand.share / FULL
    if a_minute * 60.0 < RARELY:
        yield (
            f"{share} of {_rate(world)} is {a_minute * 60.0:.2g} sessions an hour: a step this small shows hardly anything"
        )
    # In threshold mode and for a share that tunes itself, samples are finished tasks.
    by_task = analysis.mode == "threshold" or spec.strategy.self_tuning is not None
    unit, name = ("tasks", "minimumSamples" if spec.strategy.self_tuning else "minimumSessions")
    unit = unit if by_task else "sessions"
    speed = a_minute * (world.tasks_per_session if by_task else 1)
    needs = timedelta(minutes=min(demand.minimum / speed, 1e7))
    if needs <= demand.soak:
        return
    yield (
        f"soak {lasting(demand.soak)} at {share} of {_rate(world)} brings"
        f" {_about(speed * demand.soak.total_seconds() / 60.0)} {unit}; {name} {demand.minimum} needs {lasting(needs)}"
    )
    deadline = analysis.no_evidence_deadline
    if needs - demand.soak > deadline and spec.analysis.on_no_evidence != "Hold":
        does = {"Pause": "pauses", "Rollback": "is rolled back"}[spec.analysis.on_no_evidence]
        yield (
            f"noEvidenceDeadline {lasting(deadline)} is shorter than the {lasting(needs - demand.soak)} that {name} takes"
            f" after the soak at {share}: the candidate {does}"
        )


def findings(spec: RolloutSpec, forecast: Forecast) -> tuple[str, ...]:
    """What the simulated rollouts say against the plan."""
    found: list[str] = []
    for each in forecast.prospects:
        if each.effect == 0.0:
            found += _about_good(each, forecast.horizon)
            found += _about_cost(spec, each, forecast.world)
        elif each.effect <= -0.10 and each.promoted >= OFTEN:
            found.append(
                f"a candidate {-each.effect * 100:.0f} points worse is promoted in {each.promoted:.0%} of the runs"
            )
    return tuple(found)


def _about_good(each: Prospect, horizon: timedelta) -> Iterator[str]:
    who = "a candidate as good as the old version"
    if each.rolled_back >= OFTEN:
        yield f"{who} is rolled back in {each.rolled_back:.0%} of the runs, such as: {each.sentence}"
    if each.paused >= OFTEN:
        yield f"{who} pauses for want of evidence in {each.paused:.0%} of the runs, until a person resumes"
    if each.promoted < 0.5:
        yield f"{who} is promoted within {lasting(horizon)} in {each.promoted:.0%} of the runs only"


def _about_cost(spec: RolloutSpec, each: Prospect, world: World) -> Iterator[str]:
    """Cost is cut at a cap and divided by it, so a cap far above what tasks cost leaves hardly anything to see."""
    slowest = max(each.held_by, key=lambda name: each.held_by[name], default="")
    of_cost = {check.name for check in spec.analysis.effective.checks if check.cost is not None}
    if slowest in of_cost and world.cost < LOW and is_sequential(spec):
        yield (
            f"{slowest} holds longest, and a task costs {world.cost * 100:.2g}% of the cap: agents report several caps"
            " below AGENT_COST_CAP_USD; lower it until one of them is near what a dear task costs"
        )


def _rate(world: World) -> str:
    a_minute = world.sessions_per_minute
    return (
        f"{_about(a_minute)} sessions/min" if a_minute >= 1.0 else f"{_about(a_minute * 60.0)} sessions/hour"
    )


def _about(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"
