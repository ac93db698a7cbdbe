"""Giving the evidence of rollbacks to the ledger beside the ticks: a tick hands over what its status has pending.

The status is the queue, as it is for notices: what an operator that dies leaves is given by the next one, and a ledger that is
down delays nothing. A bundle is tried until the ledger has it or refuses it for good; it is never given up for its age, because
a weekend without a ledger must not cost the evidence. At most a few wait, so the tries are few, too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.ports import Bundle, Cluster, EvidenceStore, Kept, Key, NotKept
from agentrollouts.runtime.execute import reference
from agentrollouts.runtime.pauses import pause
from agentrollouts.runtime.scheduler import Timing
from agentrollouts.runtime.telemetry import Telemetry
from agentrollouts.runtime.views import Place

TIMEOUT = 30.0
"""Seconds one try may take; it may read some megabytes of tasks."""
LANES = 2
"""Tries under way at once."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _File:
    """What a Rollout has under way, by attempt. A task that is done stays until the status has its bundle no longer."""

    uid: str
    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)


@dataclass(slots=True)
class Archivist:
    """The bundles of this operator's life. Without a ``store`` nothing is tried."""

    store: EvidenceStore | None
    cluster: Cluster
    telemetry: Telemetry
    wake: Callable[[Key], None]
    timing: Timing
    timeout: float = TIMEOUT
    _files: dict[Key, _File] = field(default_factory=dict)
    _lanes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LANES))

    @property
    def under_way(self) -> list[asyncio.Task[None]]:
        """Tries that haven't ended."""
        return [task for file in self._files.values() for task in file.tasks.values() if not task.done()]

    def kept(self, key: Key) -> frozenset[int]:
        """Attempts whose evidence needs nothing more, whatever the status has pending."""
        file = self._files.get(key)
        if file is None:
            return frozenset()
        return frozenset(attempt for attempt, task in file.tasks.items() if _ended_well(task))

    def keep(self, key: Key, uid: str, agent: str, status: RolloutStatus) -> None:
        """Begin to give what ``status``, which is written, has pending and isn't under way; drop what it hasn't."""
        if self.store is None or (not status.bundles and key not in self._files):
            return
        file = self._files.get(key)
        if file is None or file.uid != uid:
            self.forget(key)
            file = self._files[key] = _File(uid)
        pending = {facts.attempt: facts for facts in status.bundles}
        for attempt in [known for known in file.tasks if known not in pending]:
            file.tasks.pop(attempt).cancel()
        for attempt, facts in pending.items():
            if attempt not in file.tasks:
                self._begin(key, file, Bundle(key.namespace, key.name, uid, agent, facts))
        if not file.tasks:
            del self._files[key]

    def forget(self, key: Key) -> None:
        """The Rollout is gone."""
        file = self._files.pop(key, None)
        for task in file.tasks.values() if file is not None else ():
            task.cancel()

    async def close(self) -> None:
        """Stop; what is under way stays pending in the status."""
        tasks = self.under_way
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self.store is not None:
            await self.store.close()

    def _begin(self, key: Key, file: _File, bundle: Bundle) -> None:
        name = f"evidence {'/'.join(key)} {bundle.facts.attempt}"
        task = asyncio.create_task(self._go(key, bundle), name=name)
        file.tasks[bundle.facts.attempt] = task
        task.add_done_callback(partial(self._came_back, key, file))

    def _came_back(self, key: Key, file: _File, task: asyncio.Task[None]) -> None:
        if self._files.get(key) is file and _ended_well(task):
            self.wake(key)

    async def _go(self, key: Key, bundle: Bundle) -> None:
        """Try until it is kept or refused for good."""
        tries = 0
        while not isinstance(said := await self._try(bundle), Kept):
            tries += 1
            self._count("Refused" if said.final else "Failed")
            _log.warning(
                "evidence of attempt %d not kept (try %d): %s", bundle.facts.attempt, tries, said.reason
            )
            if said.final or tries == 1:
                await self._tell(key, bundle, said)
            if said.final:
                return
            await self.timing.sleep(pause(tries, self.timing.chance(), said.retry_after))
        self._count("Kept")

    async def _try(self, bundle: Bundle) -> Kept | NotKept:
        assert self.store is not None
        try:
            async with self._lanes, asyncio.timeout(self.timeout):
                return await self.store.keep(bundle)
        except TimeoutError:
            return NotKept(f"no answer within {self.timeout:g} s")
        except Exception as error:  # noqa: BLE001
            # A store answers with values; an exception is a bug in it.
            _log.exception("the evidence store failed")
            return NotKept(f"the evidence store failed: {type(error).__name__}")

    def _count(self, outcome: str) -> None:
        self.telemetry.bundles.labels(outcome).inc()

    async def _tell(self, key: Key, bundle: Bundle, said: NotKept) -> None:
        """An event on the Rollout: at the first try that failed, and when it is refused for good."""
        then = "it is given up" if said.final else "it waits in the status and is tried again"
        await self.cluster.emit(
            reference("Rollout", Place(key.namespace, key.name), bundle.uid),
            reason="EvidenceRefused" if said.final else "EvidenceWaits",
            message=f"the ledger has no evidence of attempt {bundle.facts.attempt} ({bundle.facts.version}):"
            f" {said.reason}; {then}",
            type="Warning",
        )


def _ended_well(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
