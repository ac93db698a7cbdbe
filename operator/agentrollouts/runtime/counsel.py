"""Asking advisors beside the ticks: a tick takes what has been answered so far, and never waits for more.

Each answer is awaited in a task of its own, which wakes the rollout's key when it is there. Whatever goes wrong in it ends
as an answer without an opinion, so a Hold that waits for one always ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from agentrollouts.api.advisor import AdvisorSpec
from agentrollouts.api.scalars import format_duration
from agentrollouts.core import advice
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.decision import Decision, is_urgent
from agentrollouts.core.opinion import ASSUMED_TOKENS, Answer, NoOpinion, Opinion, Subject
from agentrollouts.core.question import ask
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.ports import Advisor, Clock, Key
from agentrollouts.runtime.telemetry import Telemetry

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counsel:
    """The answers of this operator's life, one for each rollout, and those under way."""

    advisor: Advisor
    clock: Clock
    telemetry: Telemetry
    wake: Callable[[Key], None]
    _answers: dict[Key, Answer] = field(default_factory=dict)
    _asking: dict[Key, asyncio.Task[None]] = field(default_factory=dict)

    def weigh(
        self, key: Key, snapshot: Snapshot, results: tuple[CheckResult, ...], decision: Decision
    ) -> tuple[Snapshot, Decision]:
        """The snapshot with what the advisor has answered, and what is left of the decision; asks where it is time to."""
        spec = snapshot.spec.advisor
        if spec is None or is_urgent(decision):
            return snapshot, decision
        heard = replace(snapshot, answer=self._answers.get(key))
        subject = advice.wanted(heard, decision)
        if subject is not None and key not in self._asking:
            if advice.usage_after(heard, 0, snapshot.now).tokens >= spec.daily_tokens:
                said = NoOpinion("BudgetSpent", f"{spec.daily_tokens} tokens are used up for today")
                heard = replace(heard, answer=self._keep(key, heard, subject, said))
            else:
                task = asyncio.create_task(
                    self._ask(key, heard, results, subject, spec), name=f"advisor {'/'.join(key)}"
                )
                self._asking[key] = task
                task.add_done_callback(lambda done: self._asked(key, done))
        return heard, advice.weigh(heard, decision)

    def forget(self, key: Key) -> None:
        """The Rollout is gone."""
        self._answers.pop(key, None)
        task = self._asking.get(key)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Stop waiting for answers."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.advisor.close()

    async def _ask(
        self,
        key: Key,
        snapshot: Snapshot,
        results: tuple[CheckResult, ...],
        subject: Subject,
        spec: AdvisorSpec,
    ) -> None:
        said = await self._opinion(snapshot, results, subject, spec)
        self._keep(key, snapshot, subject, said)
        # NB: only now, so that the tick this wakes finds nobody asking and may ask about another step.
        self._asking.pop(key, None)
        self.wake(key)

    async def _opinion(
        self, snapshot: Snapshot, results: tuple[CheckResult, ...], subject: Subject, spec: AdvisorSpec
    ) -> Opinion | NoOpinion:
        try:
            async with asyncio.timeout(spec.timeout.total_seconds()):
                return await self.advisor.opinion(ask(snapshot, results, subject), spec=spec)
        except TimeoutError:
            # It may have worked on an answer all the time, so it counts.
            return NoOpinion("Timeout", f"no answer within {format_duration(spec.timeout)}", ASSUMED_TOKENS)
        except Exception as error:  # noqa: BLE001
            # An advisor answers with values; an exception is a bug in it, and must not hold up the candidate.
            _log.exception("the advisor failed")
            return NoOpinion("Failed", f"the advisor failed: {type(error).__name__}", ASSUMED_TOKENS)

    def _asked(self, key: Key, task: asyncio.Task[None]) -> None:
        # NB: the tick that this task woke may have begun to ask anew already.
        if self._asking.get(key) is task:
            del self._asking[key]

    def _keep(self, key: Key, snapshot: Snapshot, subject: Subject, said: Opinion | NoOpinion) -> Answer:
        now = self.clock.now()
        answer = Answer(subject, now, said, advice.usage_after(snapshot, said.tokens, now))
        self._answers[key] = answer
        self.telemetry.advised(advice.outcome_of(said), said.tokens)
        return answer
