"""How far replays before traffic have come, asked of their pods beside the ticks.

Only for people to see: nothing is decided by it, and a pod that doesn't answer costs nothing but the number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from agentrollouts.core.proof_run import ProofRun, Running
from agentrollouts.ports import Key, Progress
from agentrollouts.runtime.scheduler import Timing

EVERY = 10.0
"""Seconds between two questions to a pod."""


@dataclass(slots=True)
class _Followed:
    """A Job whose pod is asked."""

    address: str
    task: asyncio.Task[None]
    words: str = ""


@dataclass(slots=True)
class ProgressBook:
    """What the pods of Jobs under way said last."""

    source: Progress
    wake: Callable[[Key], None]
    timing: Timing
    _jobs: dict[Key, dict[str, _Followed]] = field(default_factory=dict)

    def told(self, key: Key, runs: Mapping[str, ProofRun]) -> Mapping[str, ProofRun]:
        """The Jobs as they stand, with how far they have come."""
        known = self._jobs.get(key)
        if not known:
            return runs
        return {name: _with(run, known[name].words) if name in known else run for name, run in runs.items()}

    def follow(self, key: Key, addresses: Mapping[str, str]) -> None:
        """Ask these Jobs' pods from now on, and no others of this Rollout."""
        known = self._jobs.get(key)
        if known is None:
            if not addresses:
                return
            known = self._jobs[key] = {}
        for name in [name for name, each in known.items() if addresses.get(name) != each.address]:
            known.pop(name).task.cancel()
        for name, address in addresses.items():
            if name not in known:
                task = asyncio.create_task(self._go(key, name, address), name=f"progress {name}")
                known[name] = _Followed(address, task)
        if not known:
            del self._jobs[key]

    def forget(self, key: Key) -> None:
        """The Rollout is gone."""
        self.follow(key, {})

    async def close(self) -> None:
        """Ask nobody any more."""
        tasks = [each.task for jobs in self._jobs.values() for each in jobs.values()]
        self._jobs.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.source.close()

    async def _go(self, key: Key, name: str, address: str) -> None:
        while True:
            words = await self.source.ask(address)
            found = self._jobs[key][name]
            if words and words != found.words:
                found.words = words
                self.wake(key)
            await self.timing.sleep(EVERY)


def _with(run: ProofRun, words: str) -> ProofRun:
    return replace(run, progress=words) if isinstance(run, Running) else run
