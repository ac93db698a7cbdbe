"""One tick, one direction: observe, check, decide, plan, execute."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import structlog

from agentrollouts.core.analysis import run_checks
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.decide import decide
from agentrollouts.core.decision import Decision, needs_no_metric
from agentrollouts.core.gates import gate_state
from agentrollouts.core.pairs import pairs
from agentrollouts.core.plan import Plan
from agentrollouts.core.planner import make_plan, settled
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.workloads import plan_version
from agentrollouts.ports import Clock, ConflictError, GoneError, Key, TerminalError, TransientError
from agentrollouts.runtime.archivist import Archivist
from agentrollouts.runtime.counsel import Counsel
from agentrollouts.runtime.courier import Courier
from agentrollouts.runtime.evidence import EvidenceBook
from agentrollouts.runtime.monitoring import Monitor
from agentrollouts.runtime.observe import VersionViews, World, listening, rollout_snapshot, version_case
from agentrollouts.runtime.portbook import NoPortError
from agentrollouts.runtime.progress import ProgressBook
from agentrollouts.runtime.reader import Reader
from agentrollouts.runtime.scheduler import CONFLICTS, Again, Conflict, Failed, Outcome
from agentrollouts.runtime.store import Store
from agentrollouts.runtime.telemetry import Telemetry
from agentrollouts.runtime.views import Place, RolloutObject
from agentrollouts.runtime.writer import NoTurnError, Writer

LONGEST = 60.0
"""Seconds one tick may take; every wait within has a shorter limit of its own."""
NO_TURN = 1.0
"""Seconds until a key whose turn didn't come is looked at again. Nothing failed: it doesn't back off further and further,
or the last of a thousand new rollouts would wait for a minute while nobody writes."""
IDLE = 300.0
"""Seconds until a key is looked at again that nothing can be done for."""

_log = structlog.stdlib.get_logger(__name__)


class Epoch(Protocol):
    """Whether we may act, and as which leader."""

    @property
    def held(self) -> bool:
        """Whether we may still believe to lead."""


@dataclass(slots=True)
class Ticker:
    """Everything a tick needs. One instance for all keys."""

    store: Store
    world: World
    evidence: EvidenceBook
    writer: Writer
    counsel: Counsel
    monitor: Monitor
    courier: Courier
    archivist: Archivist
    progress: ProgressBook
    reader: Reader
    telemetry: Telemetry
    clock: Clock
    lease: Epoch
    monotonic: Callable[[], float] = time.monotonic
    doubt: Callable[[], None] = lambda: None
    """Called when writes go on conflicting: what the store knows of routes may be wrong."""
    _in_conflict: Counter[Key] = field(default_factory=Counter)
    _views: VersionViews = field(init=False)

    def __post_init__(self) -> None:
        self._views = VersionViews(self.store)

    async def __call__(self, key: Key) -> Outcome:
        """Look at one key. Never raises what concerns this key alone."""
        if not self.lease.held:
            return Failed(TransientError("the lease isn't ours any more"))
        began = self.monotonic()
        with structlog.contextvars.bound_contextvars(kind=key.kind, namespace=key.namespace, name=key.name):
            try:
                async with asyncio.timeout(LONGEST):
                    outcome = await (self._rollout(key) if key.kind == "Rollout" else self._version(key))
            except ConflictError as error:
                outcome = Conflict(str(error))
                self._in_conflict[key] += 1
                if self._in_conflict[key] >= CONFLICTS:
                    self.doubt()
            except NoTurnError:
                outcome = Again(NO_TURN)
            except GoneError as error:
                # The watch will say so, too; until then there is nothing to write to.
                _log.info("gone", detail=str(error))
                outcome = Failed(error)
            except (TransientError, TerminalError, TimeoutError, NoPortError) as error:
                _log.warning("tick failed", error=type(error).__name__, detail=str(error))
                outcome = Failed(error)
            except Exception as error:  # noqa: BLE001
                _log.exception("tick failed")
                outcome = Failed(error)
        if not isinstance(outcome, Conflict):
            self._in_conflict.pop(key, None)
        if isinstance(outcome, Failed):
            self.telemetry.tick_errors.labels(key.kind, type(outcome.error).__name__).inc()
        self.telemetry.tick_seconds.labels(key.kind).observe(self.monotonic() - began)
        return outcome

    async def _version(self, key: Key) -> Outcome:
        item = self.store.versions.get(Place(key.namespace, key.name))
        if item is None or item.meta.deleting:
            return None
        if item.spec is None:
            _log.warning("AgentVersion can't be read", detail=item.problem)
            return Again(IDLE)
        plan = plan_version(version_case(self.store, self.world, item, self.clock.now()))
        await self.writer.version(plan, key, item.meta.uid)
        return Again(plan.requeue_after.total_seconds())

    async def _rollout(self, key: Key) -> Outcome:
        place = Place(key.namespace, key.name)
        item = self.store.rollouts.get(place)
        if item is None or item.meta.deleting:
            self._views.forget(place)
            self.evidence.forget(place)
            self.monitor.forget(place)
            self.counsel.forget(key)
            self.courier.forget(key)
            self.archivist.forget(key)
            self.progress.forget(key)
            self.reader.forget(key)
            await self.writer.remove(place)
            return None
        now = self.clock.now()
        route = self.store.routes.get(place)
        problem = item.problem or (
            f"AgentRoute {place.name}: {route.problem}" if route and route.problem else ""
        )
        if item.spec is None or problem or item.lost:
            return await self._unreadable(key, item, problem, now)
        seen = rollout_snapshot(self.store, self._views, self.world, item, now)
        snapshot = settled(
            replace(
                seen,
                delivered=self.courier.delivered(key),
                kept=self.archivist.kept(key),
                jobs=self.progress.told(key, seen.jobs),
                texts=self.reader.told(key, pairs(seen)),
            )
        )
        results: tuple[CheckResult, ...] = ()
        gate = gate_state(snapshot)
        decision = decide(snapshot, results, gate)
        if not needs_no_metric(decision):
            snapshot = await self._measured(key, place, snapshot)
            results = run_checks(snapshot)
            decision = decide(snapshot, results, gate)
        snapshot, decision = self.counsel.weigh(key, snapshot, results, decision)
        plan = make_plan(snapshot, results, gate, decision)
        plan = await self.writer.rollout(key, item, snapshot, decision, plan)
        self.progress.follow(key, listening(self.store, item) if seen.jobs else {})
        if plan.status is not None:
            self.courier.deliver(key, item.meta.uid, item.spec, plan.status)
            self.archivist.keep(key, item.meta.uid, item.spec.agent, plan.status)
        self._report(snapshot, results, decision, plan)
        self.evidence.look_every(place, plan.requeue_after)
        moves = plan.status is not None and plan.status.candidate is not None
        return Again(plan.requeue_after.total_seconds(), aligned=moves)

    async def _measured(self, key: Key, place: Place, snapshot: Snapshot) -> Snapshot:
        """The snapshot with its evidence; without a candidate, with what is known of the stable version by now."""
        if snapshot.status.candidate is None:
            self.evidence.forget(place)
            return self.monitor.seen(key, snapshot)
        self.monitor.forget(place)
        return replace(
            snapshot,
            evidence=await self.evidence.measured(place, snapshot.spec, snapshot.status, now=snapshot.now),
        )

    async def _unreadable(self, key: Key, item: RolloutObject, problem: str, now: datetime) -> Outcome:
        """A Rollout that can't be understood keeps its traffic as it is and says why nothing happens."""
        self.evidence.forget(item.meta.place)
        if item.lost:
            # NB: writing a status would drop what can't be read of it, stable included.
            await self.writer.warn(item, "StatusUnreadable", item.lost)
            return Again(IDLE)
        await self.writer.stall(key, item, problem, now=now, reason="Unreadable")
        return Again(IDLE)

    def _report(
        self, snapshot: Snapshot, results: tuple[CheckResult, ...], decision: Decision, plan: Plan
    ) -> None:
        old = snapshot.status.decision
        changed = old is None or (old.action, old.reason) != (type(decision).__name__, decision.reason)
        before = {check.name: check.verdict for check in snapshot.status.checks}
        self.telemetry.decided(decision, changed=changed, results=results, before=before)
        if changed:
            _log.info(
                "decision",
                decision=type(decision).__name__,
                reason=decision.reason,
                message=decision.message,
                actions=[type(action).__name__ for action in plan.actions],
            )
