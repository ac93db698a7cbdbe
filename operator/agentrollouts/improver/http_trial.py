"""A trial over HTTP: an agent that runs any prompt it is sent, apart from its users and without lasting deeds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import httpx

from agentrollouts.improver.cases import Case, agrees
from agentrollouts.improver.trial import TrialError

AT_ONCE: Final = 4
TIMEOUT: Final = 60.0
"""Seconds one answer may take."""
LARGEST: Final = 1 << 20
"""Bytes of one answer."""


class HttpTrial:
    """POSTs ``{"system_prompt": …, "input": …}`` for each case and compares the JSON that comes back with what is expected.

    An error of the agent's own (a status from 500 on but 503) is a wrong answer, as its users would have it; whatever says that the prompt
    wasn't run at all ends the trial.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT)

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()

    async def run(self, prompt: str, cases: Sequence[Case]) -> Sequence[bool]:
        """For each case whether the answer is right. TrialError."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> bool:
            async with slots:
                return await self._is_right(prompt, case)

        try:
            async with asyncio.TaskGroup() as group:
                running = [group.create_task(one(case)) for case in cases]
        except* TrialError as errors:
            raise errors.exceptions[0] from None
        return [each.result() for each in running]

    async def _is_right(self, prompt: str, case: Case) -> bool:
        body = {"system_prompt": prompt, "input": case.input}
        try:
            async with self._client.stream("POST", self._url, json=body) as answer:
                content = bytearray()
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > LARGEST:
                        return False
        except httpx.ReadTimeout:
            return False
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TrialError(
                f"the trial at {self._url} can't be reached: {error or type(error).__name__}"
            ) from error
        status = answer.status_code
        if status >= 500 and status != 503:
            return False
        if status != 200:
            raise TrialError(
                f"the trial at {self._url} answered with HTTP {status}; expected an agent that takes "
                '{"system_prompt": …, "input": …}'
            )
        try:
            return agrees(httpx.Response(200, content=bytes(content)).json(), case.expected)
        except ValueError:
            return False
