"""Delivering notices beside the ticks: a tick hands over what its status has pending, and never waits for any of it.

The status is the queue. It is written before anything is sent, so what an operator that dies leaves undelivered is sent by
the next one, with the same id. Each notice goes to each notifier in a task of its own, so one that can't be delivered holds
up no other; a destination that hangs fills its own few lanes and nobody else's. When all notifiers of a notice have got it,
or were given up, the Rollout's key is woken, and its next tick takes the notice out of the status.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple
from weakref import WeakValueDictionary

from agentrollouts.api.notify import NoticeStatus, NotifierSpec
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.ports import Cluster, Delivered, Key, Notice, Notifier, Undelivered
from agentrollouts.runtime.execute import reference
from agentrollouts.runtime.pauses import pause
from agentrollouts.runtime.scheduler import Timing
from agentrollouts.runtime.telemetry import Telemetry
from agentrollouts.runtime.views import Place

TIMEOUT = 5.0
"""Seconds one try may take."""
PATIENCE = 3600.0
"""Seconds after which a notice that was never taken is given up. It has always been tried once."""
LANES = 2
"""Tries under way at once to one destination."""

_log = logging.getLogger(__name__)


class _Errand(NamedTuple):
    """One notice to one notifier."""

    id: str
    notifier: str


@dataclass(slots=True)
class _Sender:
    """What a Rollout has under way. A task that is done stays until the status has its notice no longer."""

    uid: str
    specs: Mapping[str, NotifierSpec] = field(default_factory=dict)
    tasks: dict[_Errand, asyncio.Task[None]] = field(default_factory=dict)

    def ended(self, identity: str) -> bool:
        return all(task.done() for errand, task in self.tasks.items() if errand.id == identity)


@dataclass(slots=True)
class Courier:
    """The errands of this operator's life. At most 8 notices of a Rollout wait, for at most 8 notifiers each."""

    notifier: Notifier
    cluster: Cluster
    telemetry: Telemetry
    wake: Callable[[Key], None]
    timing: Timing
    timeout: float = TIMEOUT
    _senders: dict[Key, _Sender] = field(default_factory=dict)
    _lanes: WeakValueDictionary[str, asyncio.Semaphore] = field(default_factory=WeakValueDictionary)

    def delivered(self, key: Key) -> frozenset[str]:
        """Notices that need nothing more, whatever the status has pending."""
        sender = self._senders.get(key)
        if sender is None:
            return frozenset()
        return frozenset(errand.id for errand in sender.tasks if sender.ended(errand.id))

    def deliver(self, key: Key, uid: str, spec: RolloutSpec, status: RolloutStatus) -> None:
        """Begin to deliver what ``status``, which is written, has pending and isn't under way; drop what it hasn't."""
        pending = status.notices.pending if status.notices is not None else ()
        sender = self._senders.get(key)
        if sender is None or sender.uid != uid:
            if not pending:
                return
            self.forget(key)
            sender = self._senders[key] = _Sender(uid)
        sender.specs = {notifier.name: notifier for notifier in spec.notify}
        errands = {_Errand(facts.id, name): facts for facts in pending for name in facts.to}
        for errand in [known for known in sender.tasks if known not in errands]:
            sender.tasks.pop(errand).cancel()
        for errand, facts in errands.items():
            if errand not in sender.tasks and errand.notifier in sender.specs:
                self._begin(key, sender, errand, Notice(key.namespace, key.name, spec.agent, facts))
        if not sender.tasks:
            del self._senders[key]

    def forget(self, key: Key) -> None:
        """The Rollout is gone."""
        sender = self._senders.pop(key, None)
        for task in sender.tasks.values() if sender is not None else ():
            task.cancel()

    async def close(self) -> None:
        """Stop; what is under way stays pending in the status."""
        tasks = [task for sender in self._senders.values() for task in sender.tasks.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.notifier.close()

    def _begin(self, key: Key, sender: _Sender, errand: _Errand, notice: Notice) -> None:
        task = asyncio.create_task(
            self._go(key, sender, errand, notice), name=f"notify {'/'.join(key)} {errand.notifier}"
        )
        sender.tasks[errand] = task
        task.add_done_callback(partial(self._came_back, key, sender, errand))

    def _came_back(self, key: Key, sender: _Sender, errand: _Errand, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and self._senders.get(key) is sender and sender.ended(errand.id):
            self.wake(key)

    async def _go(self, key: Key, sender: _Sender, errand: _Errand, notice: Notice) -> None:
        """Try until it is delivered or given up."""
        began, tries = self.timing.monotonic(), 0
        while (spec := sender.specs.get(errand.notifier)) is not None:
            said = await self._try(notice, spec)
            tries += 1
            if isinstance(said, Delivered):
                self._count(spec, "Delivered")
                return
            last = self.timing.monotonic() - began >= PATIENCE
            self._count(spec, "GivenUp" if last else "Failed")
            _log.warning(
                "notice %s not delivered to %s (try %d): %s", errand.id, errand.notifier, tries, said.reason
            )
            if last or tries == 1:
                await self._tell(key, sender, spec, notice.facts, said, last=last)
            if last:
                return
            await self.timing.sleep(pause(tries, self.timing.chance(), said.retry_after))

    async def _try(self, notice: Notice, spec: NotifierSpec) -> Delivered | Undelivered:
        try:
            # NB: waiting for a lane is no part of the try, or a crowd would time out before it has begun.
            async with self._lane(spec), asyncio.timeout(self.timeout):
                return await self.notifier.send(notice, spec=spec)
        except TimeoutError:
            return Undelivered(f"no answer within {self.timeout:g} s")
        except Exception as error:  # noqa: BLE001
            # A notifier answers with values; an exception is a bug in it. NB: its text may have the URL in it.
            return Undelivered(f"the notifier failed: {type(error).__name__}")

    def _lane(self, spec: NotifierSpec) -> asyncio.Semaphore:
        destination = spec.member[1].model_dump_json()
        lane = self._lanes.get(destination)
        if lane is None:
            lane = self._lanes[destination] = asyncio.Semaphore(LANES)
        return lane

    def _count(self, spec: NotifierSpec, outcome: str) -> None:
        self.telemetry.notifications.labels(spec.member[0], outcome).inc()

    async def _tell(
        self,
        key: Key,
        sender: _Sender,
        spec: NotifierSpec,
        facts: NoticeStatus,
        said: Undelivered,
        *,
        last: bool,
    ) -> None:
        """An event on the Rollout: at the first try that failed, and when it is given up."""
        then = "it is given up" if last else f"it is tried again for {PATIENCE / 60:.0f} minutes"
        await self.cluster.emit(
            reference("Rollout", Place(key.namespace, key.name), sender.uid),
            reason="NotificationFailed",
            message=f"{spec.name} was not told of {facts.happening} of {facts.candidate}: {said.reason}; {then}",
            type="Warning",
        )
