"""A lane of a replay: its agent, asked recorded tasks as their users asked them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.agent import AgentClient, Answer, NoAnswer, short
from agentrollouts.replay.attempt import Attempt, Lane
from agentrollouts.replay.recordings import Recordings


@dataclass(frozen=True, slots=True)
class Asking:
    """How a task is put. ``field`` is where in the body an input goes that is no object; ``timeout`` in seconds.

    ``alone``: nobody but one agent is behind the address.
    """

    timeout: float = 60.0
    field: str = "input"
    alone: bool = False


class LaneClient:
    """Asks one lane."""

    def __init__(
        self, client: httpx.AsyncClient, recordings: Recordings, lane: Lane, url: str, asking: Asking
    ) -> None:
        self._agent = AgentClient(
            client, recordings, url, who=lane.value, timeout=asking.timeout, alone=asking.alone
        )
        self._field = asking.field
        self.lane, self.url = lane, url

    async def ask(self, record: TaskRecord) -> Attempt:
        """What the lane makes of the task. A status of failure and a timeout are answers, too.

        Raises:
            TransportFailed: the connection broke.
            ReplayError: whoever answers isn't in replay mode, or doesn't tell what it did.
        """
        body = record.input if isinstance(record.input, Mapping) else {self._field: record.input}
        try:
            return self._answered(record, await self._agent.ask(record, body))
        except NoAnswer as none:
            return Attempt(task=record.id, lane=self.lane, error=str(none), latency_seconds=none.seconds)

    async def check(self) -> None:
        """Whether the lane can be asked at all. Raises as ``ask`` does."""
        await self._agent.check()

    async def greet(self) -> None:
        """Whether the lane knows where this replay is. Raises TransportFailed where it doesn't."""
        await self._agent.greet()

    def _answered(self, record: TaskRecord, found: Answer) -> Attempt:
        response = found.response
        try:
            answer = found.decoded()
        except ValueError:
            answer = response.text
        error = "" if response.is_success else f"status {response.status_code}: {short(response.text)}"
        return Attempt(
            task=record.id,
            lane=self.lane,
            answer=answer,
            error=error,
            latency_seconds=found.seconds,
            told=found.told,
        )
