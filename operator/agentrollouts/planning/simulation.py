"""One simulated rollout: a synthetic agent's evidence through the real decision path, the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.attention import ATTENTION
from agentrollouts.core.decision import Hold, Start
from agentrollouts.planning.run import Outcome, Run, Seen, begin
from agentrollouts.planning.world import Counters, Sorts, Traffic, World

BEGIN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""When simulated rollouts begin: some moment, always the same."""
MINUTE = timedelta(minutes=1)
AT_ONCE = timedelta(seconds=2)
"""Until the next look where something happened that the operator hears of: the start of a candidate, an approval."""
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is looked. ``horizon`` ends the simulation.

    ``stride`` is the longest wait between two looks as a part of the time since the start: looking every minute for days says
    nothing that looking every 2 % of the time doesn't. 0: every minute. No moment at which something ends is stepped over.
    """

    horizon: timedelta = WEEK
    stride: float = 0.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """How it went. ``tasks`` are the candidate's; of them ``excess`` failed, on average, that the old version would have done."""

    outcome: Outcome
    took: timedelta
    looks: tuple[Seen, ...]
    """Those at which the share, the decision or its reason changed, and the last one."""
    waited: Mapping[tuple[int, str], timedelta]
    """By share in basis points and reason: how long that was what the candidate waited for."""
    held_by: Mapping[str, timedelta]
    """By check: how long it was among those that kept the candidate from its next step."""
    tasks: float
    excess: float
    recorded: tuple[tuple[datetime, Counters], ...] = field(default=(), repr=False)
    """Every look's counters, where they were asked for."""


def simulate(
    spec: RolloutSpec,
    world: World,
    *,
    seed: int | str,
    stable: str = "0.0.0",
    pace: Pace | None = None,
    approval: timedelta | None = timedelta(0),
    sorts: Sorts | None = None,
    record: bool = False,
) -> Simulated:
    """A rollout of ``spec.version`` beside ``stable``. ``sorts``: those of this spec and world, where they are known already.

    Raises:
        NothingToPlanError: there is nothing to roll out, in a sentence.
    """
    pace = pace or Pace()
    run = begin(spec, stable=stable, now=BEGIN, approval=approval)
    traffic = Traffic(world, sorts or Sorts.of(spec, world), spec.version, stable, Random(seed))  # noqa: S311
    journal, now, recorded = Journal(), BEGIN, list[tuple[datetime, Counters]]()
    while True:
        counters = traffic.counters()
        if record:
            recorded.append((now, counters))
        seen = run.look(now, counters)
        journal.add(seen)
        if run.is_over or now - BEGIN >= pace.horizon:
            break
        wait = _wait(run, seen, pace)
        assert run.snapshot.route is not None
        traffic.serve(wait / MINUTE, run.snapshot.route.spec.arms)
        now += wait
    tasks = traffic.served * world.tasks_per_session
    return Simulated(
        run.outcome,
        now - BEGIN,
        journal.looks(),
        journal.waited,
        journal.held_by,
        tasks,
        tasks * world.excess,
        tuple(recorded),
    )


def _wait(run: Run, seen: Seen, pace: Pace) -> timedelta:
    """Until the next look: no moment at which something ends is stepped over, and failing looks are looked at closely."""
    opens, since = run.gate_opens_at(), seen.at - BEGIN
    if isinstance(seen.decision, Start) or (opens is not None and opens <= seen.at):
        return AT_ONCE
    near = run.snapshot.spec.analysis.effective.mode == "threshold" and any(
        result.toward_failure >= ATTENTION for result in seen.results if not result.dry_run
    )
    wait = MINUTE if near else max(MINUTE, since * pace.stride)
    until = [BEGIN + pace.horizon, getattr(seen.decision, "until", None), opens, _deadline(run)]
    return min([wait, *(moment - seen.at for moment in until if moment is not None and moment > seen.at)])


def _deadline(run: Run) -> datetime | None:
    candidate = run.snapshot.status.candidate
    since = candidate.no_evidence_since if candidate else None
    return None if since is None else since + run.snapshot.spec.analysis.effective.no_evidence_deadline


@dataclass(slots=True)
class Journal:
    """Looks as they come: those that say something new are kept, and how long each thing was waited for."""

    kept: list[Seen] = field(default_factory=list)
    waited: dict[tuple[int, str], timedelta] = field(default_factory=dict)
    held_by: dict[str, timedelta] = field(default_factory=dict)
    last: Seen | None = None

    def add(self, seen: Seen) -> None:
        """One more look."""
        last, self.last = self.last, seen
        if last is not None:
            what = last.share, last.decision.reason
            self.waited[what] = self.waited.get(what, timedelta(0)) + (seen.at - last.at)
            for name in _holding(last):
                self.held_by[name] = self.held_by.get(name, timedelta(0)) + (seen.at - last.at)
        if last is None or _state(last) != _state(seen):
            self.kept.append(seen)

    def looks(self) -> tuple[Seen, ...]:
        """What was kept, and the last look."""
        ended = self.last is not None and self.last is not self.kept[-1]
        return (*self.kept, *([self.last] if ended and self.last else ()))


HELD = ("GatheringEvidence", "ChecksInconclusive", "ChecksWarn", "ChecksFail")
"""Reasons of a hold that checks are to blame for."""


def _holding(seen: Seen) -> tuple[str, ...]:
    if not isinstance(seen.decision, Hold) or seen.decision.reason not in HELD:
        return ()
    return tuple(result.name for result in seen.results if result.blocks)


def _state(seen: Seen) -> tuple[int, str, str]:
    return seen.share, type(seen.decision).__name__, seen.decision.reason
