"""How a plan gets written: in its turn, the Services before the route, and what is refused for good said once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agentrollouts.core.decision import Decision, is_urgent
from agentrollouts.core.plan import Emit, PatchRolloutStatus, Plan, SetRoute
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.ports import ConflictError, GoneError, Key, TerminalError, TransientError
from agentrollouts.runtime.execute import Executor, reference
from agentrollouts.runtime.services import LOOK_AGAIN, RouteServices
from agentrollouts.runtime.stalled import stalled, with_status
from agentrollouts.runtime.store import Store
from agentrollouts.runtime.telemetry import Telemetry
from agentrollouts.runtime.views import Place, RolloutObject

WRITERS = 32
"""Plans carried out at once. Rollbacks don't count and don't wait."""
PATIENCE = 5.0
"""Seconds a plan may wait for its turn; after that it is old, and everything is looked at anew."""
_NO_WAIT = timedelta(0)
SERVICE_AGAIN = timedelta(seconds=1.25 * LOOK_AGAIN)
"""Until a name that was taken is tried again: a bit later than it may be, for idle waits are cut short at random."""


class NoTurnError(Exception):
    """Others have been writing all the time."""


@dataclass(slots=True)
class Writer:
    """Carries plans out. One instance for all keys."""

    store: Store
    executor: Executor
    services: RouteServices
    telemetry: Telemetry
    monotonic: Callable[[], float] = time.monotonic
    _writers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WRITERS))
    _refused: dict[Place, str] = field(default_factory=dict)
    """What the API server refused for good, by Rollout, until a plan gets through."""

    async def remove(self, place: Place) -> None:
        """Of a Rollout that is gone."""
        self._refused.pop(place, None)
        await self.services.remove(place)

    async def version(self, plan: Plan, key: Key, uid: str) -> None:
        """An AgentVersion's plan."""
        if plan.actions:
            async with self._turn():
                await self.executor.carry_out(plan, key, uid)

    async def rollout(
        self, key: Key, item: RolloutObject, snapshot: Snapshot, decision: Decision, plan: Plan
    ) -> Plan:
        """The Services around the plan, then the plan; what the server refuses for good ends up in the conditions.

        The plan that is returned is the one carried out.
        """
        place, began = item.meta.place, self.monotonic()
        try:
            if is_urgent(decision):
                await self.executor.carry_out(plan, key, item.meta.uid)
                self.telemetry.rollback_seconds.observe(self.monotonic() - began)
                return plan
            # NB: a look that writes nothing never waits for those that write, or a storm of writes would blind the analysis.
            async with self._turn() if plan.actions else nullcontext():
                problem = await self._services(item, snapshot, plan)
                plan = self._decorated(plan, item, problem, now=snapshot.now)
                await self.executor.carry_out(plan, key, item.meta.uid)
        except TerminalError as error:
            await self.stall(key, item, str(error), now=snapshot.now)
            raise
        except (ConflictError, TransientError) as error:
            if any(isinstance(action, SetRoute) for action in plan.actions):
                self.telemetry.route_write_errors.labels(type(error).__name__).inc()
            raise
        self._refused.pop(place, None)
        return plan

    async def stall(
        self, key: Key, item: RolloutObject, problem: str, *, now: datetime, reason: str = "Refused"
    ) -> None:
        """Say once what only a person can mend."""
        known = self.store.rollouts.get(item.meta.place)
        if known is None or self._refused.get(item.meta.place) == problem:
            return
        self._refused[item.meta.place] = problem
        status = stalled(
            known.status,
            problem,
            reason=reason,
            generation=item.meta.generation,
            now=now,
            before=known.status.conditions,
        )
        actions = (Emit(f"Stalled{reason}", problem, "Warning"),)
        both = actions if status == known.status else (PatchRolloutStatus(status), *actions)
        await self.executor.carry_out(Plan(both, _NO_WAIT, status), key, item.meta.uid)

    async def warn(self, item: RolloutObject, reason: str, message: str) -> None:
        """An event alone: nothing of the Rollout is written."""
        about = reference("Rollout", item.meta.place, item.meta.uid)
        await self.executor.cluster.emit(about, reason=reason, message=message, type="Warning")

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._writers.acquire()
        except TimeoutError as error:
            raise NoTurnError from error
        try:
            yield
        finally:
            self._writers.release()

    async def _services(self, item: RolloutObject, snapshot: Snapshot, plan: Plan) -> str:
        """Callers find the router before the route first exists, so that its first request is served."""
        new = next((action.spec for action in plan.actions if isinstance(action, SetRoute)), None)
        route = new or (snapshot.route.spec if snapshot.route else None)
        try:
            return "" if route is None else await self.services.ensure(item, route.agent, route.port)
        except (GoneError, TerminalError) as error:
            return f"the Services that lead callers to the router can't be written: {error}"

    def _decorated(self, plan: Plan, item: RolloutObject, problem: str, *, now: datetime) -> Plan:
        status = plan.status if plan.status is not None else item.status
        if not problem:
            return with_status(plan, status, item.status)
        status = stalled(
            status,
            problem,
            reason="ServiceTaken",
            generation=item.meta.generation,
            now=now,
            before=item.status.conditions,
        )
        soon = replace(plan, requeue_after=min(plan.requeue_after, SERVICE_AGAIN))
        return with_status(soon, status, item.status)
