"""An agent in replay mode, asked a recorded task over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.attempt import Attempt, Lane, Told
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.recordings import Open, Recordings
from agentrollouts.replay.unicode import written_down

REPLAY_HEADER = "x-agent-replay"
"""On a request: the token of the attempt. On an answer: ``ANSWERS``, where the kit is in replay mode."""
ANSWERS = "answers"
_NO_RECORD = 502
"""What the kit answers when it can't fetch a record; it does nothing then."""
_MOST_ERROR = 300


class TransportFailed(Exception):  # noqa: N818 - what happened, and not yet an error: it is tried again
    """The connection broke, or there was none. ``reached``: a part of the request may have arrived."""

    def __init__(self, why: str, *, reached: bool) -> None:
        super().__init__(why)
        self.reached = reached


@dataclass(frozen=True, slots=True)
class Asking:
    """How a task is put. ``field`` is where in the body an input goes that is no object; ``timeout`` in seconds.

    ``alone``: nobody but one agent is behind the address, so who says that it is in replay mode is who is asked.
    """

    timeout: float = 60.0
    field: str = "input"
    alone: bool = False


class LaneClient:
    """Asks one lane.

    Before each task it asks with ``OPTIONS`` whether whoever answers there is in replay mode. An agent that isn't would do for real what it is
    asked, so it is never asked; and an answer that doesn't say it was a replay ends everything at once.
    """

    def __init__(
        self, client: httpx.AsyncClient, recordings: Recordings, lane: Lane, url: str, asking: Asking
    ) -> None:
        self._client, self._recordings, self._asking = client, recordings, asking
        self.lane, self.url = lane, url

    async def ask(self, record: TaskRecord) -> Attempt:
        """What the lane makes of the task. A status of failure and a timeout are answers, too.

        Raises:
            TransportFailed: the connection broke.
            ReplayError: whoever answers isn't in replay mode, or doesn't tell what it did.
        """
        with self._recordings.attempt(record) as attempt:
            began = time.monotonic()
            try:
                async with asyncio.timeout(self._asking.timeout):
                    await self._check(attempt.token)
                    began = time.monotonic()
                    response = await self._post(record, attempt)
            except TimeoutError:
                return self._attempt(record, began, error=f"no answer within {self._asking.timeout:g} s")
            took = time.monotonic() - began
            told = await self._told(attempt)
        return self._answered(record, response, took, told)

    async def check(self) -> None:
        """Whether the lane can be asked at all. Raises as ``ask`` does."""
        try:
            async with asyncio.timeout(self._asking.timeout):
                await self._check(ANSWERS)
        except TimeoutError as error:
            raise TransportFailed(f"no answer within {self._asking.timeout:g} s", reached=False) from error

    async def greet(self) -> None:
        """Whether the lane knows where this replay is: after a replay's pod was lost, its name may lead to the old one for a while.

        The token that is shown opens nothing. An agent in replay mode asks for a record before it does anything, and refuses without one.

        Raises:
            TransportFailed: it doesn't, or the connection broke.
        """
        with self._recordings.knock() as knock:
            response = await self._send("GET", {REPLAY_HEADER: knock.token})
            if response.status_code == _NO_RECORD and not knock.heard.is_set():
                raise TransportFailed(_lost(response), reached=False)

    async def _check(self, token: str) -> None:
        response = await self._send("OPTIONS", {REPLAY_HEADER: token})
        if response.headers.get(REPLAY_HEADER) != ANSWERS:
            raise ReplayError(
                f"the {self.lane} at {self.url} doesn't say that it is in replay mode (status {response.status_code}), so it "
                "isn't asked: it would call its tools for real. Start it with AGENT_REPLAY=1 and AGENT_REPLAY_URL, and with a kit that knows replays"
            )

    async def _post(self, record: TaskRecord, attempt: Open) -> httpx.Response:
        body = record.input if isinstance(record.input, Mapping) else {self._asking.field: record.input}
        headers = {REPLAY_HEADER: attempt.token, "accept": "application/json"}
        response = await self._send("POST", headers, body)
        said = response.headers.get(REPLAY_HEADER)
        if said != ANSWERS:
            if self._asking.alone and response.status_code == _NO_RECORD and not attempt.fetched.is_set():
                raise TransportFailed(_lost(response), reached=False)
            raise ReplayError(
                f"the {self.lane} at {self.url} answered task {record.id} without saying that it was a replay "
                f"({_short(response.text)}): nothing more is asked. Is every pod behind the address in replay mode, and does it reach AGENT_REPLAY_URL?"
            )
        return response

    async def _send(self, method: str, headers: Mapping[str, str], body: Any = None) -> httpx.Response:
        try:
            return await self._client.request(method, self.url, headers=headers, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TransportFailed(str(error) or type(error).__name__, reached=False) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransportFailed(str(error) or type(error).__name__, reached=True) from error

    async def _told(self, attempt: Open) -> Told:
        try:
            async with asyncio.timeout(self._asking.timeout):
                return await attempt.told
        except TimeoutError as error:
            raise ReplayError(
                f"the {self.lane} at {self.url} answered, but its kit didn't tell what it did: does it reach AGENT_REPLAY_URL?"
            ) from error

    def _answered(self, record: TaskRecord, response: httpx.Response, took: float, told: Told) -> Attempt:
        try:
            answer = written_down(response.json())
        except ValueError:
            answer = response.text
        error = "" if response.is_success else f"status {response.status_code}: {_short(response.text)}"
        return Attempt(
            task=record.id, lane=self.lane, answer=answer, error=error, latency_seconds=took, told=told
        )

    def _attempt(self, record: TaskRecord, began: float, *, error: str) -> Attempt:
        return Attempt(task=record.id, lane=self.lane, error=error, latency_seconds=time.monotonic() - began)


def _lost(response: httpx.Response) -> str:
    return f"it doesn't reach AGENT_REPLAY_URL ({_short(response.text)})"


def _short(text: str) -> str:
    return " ".join(text.split())[:_MOST_ERROR]
