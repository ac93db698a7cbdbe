"""A trial by replay: an agent that runs any prompt it is sent, while its tools answer what they answered when the task was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import httpx

from agentrollouts.api.task import TaskRecord
from agentrollouts.improver.cases import agrees
from agentrollouts.improver.trial import TrialError
from agentrollouts.replay.agent import AgentClient, Answer, NoAnswer, RecordNotFetchedError, TransportFailed
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.recordings import Recordings

AT_ONCE: Final = 4
TIMEOUT: Final = 60.0
"""Seconds one answer may take."""
FOUND_WITHIN: Final = 15.0
"""Seconds until an agent must find us: a pod that has just started isn't behind its Service everywhere."""
_PAUSE: Final = 0.5


class ReplayTrial:
    """POSTs ``{"system_prompt": …, "input": …}`` for each case and compares the JSON that comes back with what is expected.

    Whoever isn't in replay mode isn't asked: the kit there, and not the agent's author, keeps what it does from lasting. An error of the agent's
    own (a status from 500 on but 503) is a wrong answer, as its users would have it; so is a deed that a task went well without, though it
    was kept from doing it. Whatever says that the prompt wasn't run at all ends the trial.
    """

    def __init__(
        self,
        url: str,
        recordings: Recordings,
        *,
        timeout: float = TIMEOUT,
        found_within: float = FOUND_WITHIN,
    ) -> None:
        self._url, self._recordings, self._found_within = url, recordings, found_within
        # A proxy of this machine's environment is none between us and the agent.
        self._client = httpx.AsyncClient(timeout=timeout, trust_env=False)
        self._agent = AgentClient(self._client, recordings, url, who="trial", timeout=timeout)

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()

    async def run(self, prompt: str, cases: Sequence[TaskRecord]) -> Sequence[bool]:
        """For each case whether the answer is right. TrialError."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(case: TaskRecord) -> bool:
            async with slots:
                return await self._is_right(prompt, case)

        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(one(case)) for case in cases]
        except* TrialError as errors:
            raise errors.exceptions[0] from None
        return [each.result() for each in running]

    async def _is_right(self, prompt: str, case: TaskRecord) -> bool:
        try:
            answer = await self._ask(prompt, case)
        except NoAnswer:
            return False
        except TransportFailed as error:
            raise TrialError(f"the trial at {self._url} can't be reached: {error}") from error
        except ReplayError as error:
            raise TrialError(
                f"{error}. AGENT_REPLAY_URL is where this run listens, at port {self._recordings.port}"
            ) from error
        return self._ran(answer) and _agrees(answer, case) and not _oversteps(answer, case)

    async def _ask(self, prompt: str, case: TaskRecord) -> Answer:
        now = asyncio.get_running_loop().time
        deadline = now() + self._found_within
        while True:
            try:
                return await self._agent.ask(case, {"system_prompt": prompt, "input": case.input})
            except RecordNotFetchedError:
                if now() >= deadline:
                    raise
            await asyncio.sleep(_PAUSE)

    def _ran(self, answer: Answer) -> bool:
        """Whether the agent came to an answer. Raises TrialError where it didn't try the prompt."""
        status = answer.response.status_code
        if status != 200 and (status < 500 or status == 503):
            raise TrialError(
                f"the trial at {self._url} answered with HTTP {status}; expected an agent that takes "
                '{"system_prompt": …, "input": …}'
            )
        return status == 200


def _oversteps(answer: Answer, case: TaskRecord) -> bool:
    """Whether it tried what it was refused, with a tool that nobody used when the task went well.

    By names and not by arguments: those may be words of its own. A task that failed may have lacked just this deed.
    """
    known = {call.name for call in case.tool_calls}
    tried = {call.name for call in answer.told.calls if call.source == "refused"}
    return case.outcome == "success" and not tried <= known


def _agrees(answer: Answer, case: TaskRecord) -> bool:
    try:
        return agrees(answer.decoded(), case.expected)
    except ValueError:
        return False
