"""One rollout through the real decision path, look by look: whatever the evidence comes from, this is what the operator does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from agentrollouts.api.analysis import Analysis
from agentrollouts.api.approvalgate import ApprovalGateStatus
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus, StableStatus
from agentrollouts.api.verification import ReleasePolicy
from agentrollouts.core.analysis import queries, run_checks
from agentrollouts.core.asked import own_queries
from agentrollouts.core.checks import CheckResult, active_checks
from agentrollouts.core.decide import decide
from agentrollouts.core.decision import Decision, Pause
from agentrollouts.core.evidence import (
    Accumulator,
    Arm,
    Cell,
    CounterQuery,
    Evidence,
    Point,
    Series,
    SeriesKey,
    Unavailable,
)
from agentrollouts.core.gates import gate_state
from agentrollouts.core.plan import CreateGate, PatchGateStatus, PatchRolloutStatus, Plan, SetRoute
from agentrollouts.core.planner import make_plan, settled
from agentrollouts.core.routing import service_name
from agentrollouts.core.sequential.trial import Trial
from agentrollouts.core.snapshot import GateView, Identity, RouteView, Snapshot, VersionView, Workload
from agentrollouts.core.trials import Terms, advanced, terms_of
from agentrollouts.core.windows import windows_of
from agentrollouts.planning.world import Counters

Outcome = Literal["Promoted", "RolledBack", "Paused", "Unfinished"]
"""Paused: at the last look a person had to resume. Unfinished: nothing was decided within the time that was looked at."""
APPROVERS = tuple(f"approver-{number}" for number in range(1, 6))


class NothingToPlanError(ValueError):
    """A Rollout that moves nothing by itself, in a sentence."""


def own_queries_of(spec: RolloutSpec) -> tuple[str, ...]:
    """Names of the checks that nothing synthetic or recorded can answer: queries of the user's own."""
    return tuple(check.name for check, _ in own_queries(active_checks(spec)))


def without_own_queries(spec: RolloutSpec) -> RolloutSpec:
    """The spec without those checks: what a forecast is about.

    Raises:
        NothingToPlanError: there is no other check.
    """
    names = own_queries_of(spec)
    if not names:
        return spec
    rest = tuple(check for check in active_checks(spec) if check.name not in names)
    if not rest:
        # NB: without any, the preset's would come in their place.
        raise NothingToPlanError(
            f"expected a check beside {', '.join(names)}: promql checks ask your Prometheus and can't be simulated"
        )
    # NB: made anew, for a copy would keep what applied with all the checks.
    fields = {name: getattr(spec.analysis, name) for name in Analysis.model_fields}
    return spec.model_copy(update={"analysis": Analysis.model_construct(**fields | {"checks": rest})})


class Seen(NamedTuple):
    """One look: the moment, the candidate's share in basis points after it, what was decided, and the verdicts behind it."""

    at: datetime
    share: int
    decision: Decision
    results: tuple[CheckResult, ...]


@dataclass(slots=True)
class Run:
    """One candidate's rollout beside the version ``stable``.

    ``approval`` is how long people take once the gate is there; None: nobody ever approves.
    """

    snapshot: Snapshot
    candidate: str
    approval: timedelta | None = timedelta(0)
    gate_made_at: datetime | None = None
    outcome: Outcome = "Unfinished"
    _sums: Accumulator | None = None
    _trial: Trial | None = None
    _terms: Terms | None = None
    _first: tuple[datetime, Counters] | None = None
    _queries: Mapping[str, CounterQuery] = field(default_factory=dict)
    _keys: dict[tuple[Arm, Cell], SeriesKey] = field(default_factory=dict)

    def look(self, now: datetime, counters: Counters | Unavailable) -> Seen:
        """One tick: observe, check, decide, plan, carry out."""
        snapshot = settled(replace(self.snapshot, now=now, gate=self._answered(now)))
        snapshot = replace(snapshot, evidence=self._measured(snapshot, counters))
        results, gate = run_checks(snapshot), gate_state(snapshot)
        decision = decide(snapshot, results, gate)
        self.snapshot = self._carried_out(snapshot, make_plan(snapshot, results, gate, decision))
        self._judge(decision)
        candidate = self.snapshot.status.candidate
        return Seen(now, candidate.share if candidate else 0, decision, results)

    @property
    def is_over(self) -> bool:
        """Whether the candidate is gone or serves everything. A pause isn't the end: rollbacks still happen."""
        return self.outcome in ("Promoted", "RolledBack")

    def gate_opens_at(self) -> datetime | None:
        """When people will have approved; None without a gate, or without anybody who does."""
        made = self.gate_made_at
        return None if made is None or self.approval is None else made + self.approval

    def _answered(self, now: datetime) -> GateView | None:
        gate, opens = self.snapshot.gate, self.gate_opens_at()
        if gate is None or opens is None or now < opens:
            return gate
        return replace(gate, approve="true", approved_by=APPROVERS[: gate.spec.quorum])

    def _measured(self, snapshot: Snapshot, counters: Counters | Unavailable) -> Evidence | Unavailable:
        """As the operator's evidence book: sums since the candidate started, and the trial from its first share on."""
        candidate, now = snapshot.status.candidate, snapshot.now
        if candidate is None:
            if not isinstance(counters, Unavailable):
                self._first = now, counters
            return Unavailable("no candidate, so nothing was measured")
        if isinstance(counters, Unavailable):
            return counters
        series = self._series(now, counters)
        if self._sums is None:
            self._sums = windows_of(snapshot.spec).accumulator(candidate.version, candidate.started_at)
            first = self._series(*self._first) if self._first else ()
            self._sums.load(first, newcomer=candidate.version)
        self._sums.add(series)
        found = self._sums.evidence(now)
        if self._terms is None or candidate.first_share_at is None:
            return found
        self._trial = advanced(self._terms, self._trial, found)
        return replace(found, trial=self._trial)

    def _series(self, now: datetime, counters: Counters) -> Iterable[Series]:
        moment = now.timestamp()
        return [
            Series(query, self._key(arm, cell), (Point(moment, value),))
            for arm, cells in counters.items()
            for cell, value in cells.items()
            if (query := self._queries.get(cell.metric)) is not None
        ]

    def _key(self, arm: Arm, cell: Cell) -> SeriesKey:
        known = self._keys.get((arm, cell))
        if known is None:
            known = self._keys[arm, cell] = SeriesKey(arm.version, arm.cohort, "", cell.value)
        return known

    def _carried_out(self, snapshot: Snapshot, plan: Plan) -> Snapshot:
        """What a shell without mishaps leaves."""
        for action in plan.actions:
            match action:
                case SetRoute(spec=route):
                    snapshot = replace(snapshot, route=RouteView(route, ""))
                case PatchRolloutStatus(status=status):
                    snapshot = replace(snapshot, status=status, unreported=False)
                case CreateGate(name=name, spec=gate):
                    self.gate_made_at = snapshot.now
                    snapshot = replace(
                        snapshot, gate=GateView(name=name, spec=gate, status=ApprovalGateStatus())
                    )
                case PatchGateStatus(status=status) if snapshot.gate is not None:
                    snapshot = replace(snapshot, gate=replace(snapshot.gate, status=status))
                case _:
                    pass
        return snapshot

    def _judge(self, decision: Decision) -> None:
        status = self.snapshot.status
        if status.stable is not None and status.stable.version == self.candidate:
            self.outcome = "Promoted"
        elif status.rejected is not None:
            self.outcome = "RolledBack"
        else:
            self.outcome = "Paused" if isinstance(decision, Pause) else "Unfinished"


def begin(spec: RolloutSpec, *, stable: str, now: datetime, approval: timedelta | None = timedelta(0)) -> Run:
    """A rollout of ``spec.version`` at ``now``, where ``stable`` serves and both versions are ready.

    Raises:
        NothingToPlanError: there is nothing to roll out, or nothing to judge it by, in a sentence.
    """
    if spec.strategy.manual is not None:
        raise NothingToPlanError("strategy.manual moves nothing by itself, so there is nothing to plan")
    if stable == spec.version:
        raise NothingToPlanError(
            f"expected another version than {stable} in spec.version; it is stable already"
        )
    # Nobody signs what is only planned, and what is proven before traffic has no part in how the traffic then grows.
    spec = spec.model_copy(update={"paused": False, "release": ReleasePolicy(), "before_traffic": ()})
    spec = without_own_queries(spec)
    old, new = _version(spec.agent, stable, "a"), _version(spec.agent, spec.version, "b")
    snapshot = Snapshot(
        identity=Identity("default", spec.agent, "plan", 1),
        spec=spec,
        status=RolloutStatus(stable=StableStatus(version=stable, digest=old.digest, since=now)),
        versions={stable: old, spec.version: new},
        route=None,
        evidence=Unavailable("not looked yet"),
        now=now,
    )
    return Run(
        snapshot,
        spec.version,
        approval,
        _terms=terms_of(spec, spec.version, stable),
        _queries={query.metric: query for query in queries(spec)},
    )


def _version(agent: str, version: str, letter: str) -> VersionView:
    digest = "sha256:" + letter * 64
    pods = Workload(desired=1, ready=1)
    return VersionView(
        version, digest, 1, service_name(agent, version), workload=pods, parts={"code": digest}
    )
