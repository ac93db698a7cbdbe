"""An agent in replay mode, asked over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import httpx

from agentrollouts.api.task import TaskRecord
from agentrollouts.bounded_body import beginning_of
from agentrollouts.replay.attempt import Told
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.recordings import Open, Recordings
from agentrollouts.replay.unicode import written_down

REPLAY_HEADER = "x-agent-replay"
"""On a request: the token of the attempt. On an answer: ``ANSWERS``, where the kit is in replay mode."""
ANSWERS = "answers"
LARGEST: Final = 8 << 20
"""Bytes of an answer that are read: many times what a record holds, and an agent must not be able to fill our memory."""
_KEPT: Final = ("content-type", REPLAY_HEADER)
_NOT_FETCHED: Final = 502
"""Status with which the kit refuses a task whose record it doesn't get."""
_MOST_ERROR: Final = 300


class TransportFailed(Exception):  # noqa: N818 - what happened, and not yet an error: it is tried again
    """The connection broke, or there was none. ``reached``: a part of the request may have arrived."""

    def __init__(self, why: str, *, reached: bool) -> None:
        super().__init__(why)
        self.reached = reached


class NoAnswer(Exception):  # noqa: N818 - what became of a task, as an answer is
    """None came in time, or one without an end, ``seconds`` after the task was put."""

    def __init__(self, why: str, *, seconds: float) -> None:
        super().__init__(why)
        self.seconds = seconds


class RecordNotFetchedError(ReplayError):
    """The agent is in replay mode, and its kit refused the task: it didn't get the record from where AGENT_REPLAY_URL leads."""


class Answer(NamedTuple):
    """The HTTP answer, the seconds it took, and what the kit told of the task."""

    response: httpx.Response
    seconds: float
    told: Told

    def decoded(self) -> Any:
        """The body as JSON that can be written down. Raises ValueError where it is none."""
        try:
            return written_down(self.response.json())
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


class AgentClient:
    """Asks one agent. ``who`` it is called in errors; ``timeout`` in seconds.

    Before each task it asks with ``OPTIONS`` whether whoever answers there is in replay mode. An agent that isn't would do for real what it is
    asked, so it is never asked; and an answer that doesn't say it was a replay ends everything at once. With ``alone`` nobody but one agent is
    behind the address, so who says that it is in replay mode is who is asked: one that lost its way to the records may be asked again.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        recordings: Recordings,
        url: str,
        *,
        who: str,
        timeout: float,
        alone: bool = False,
    ) -> None:
        self._client, self._recordings, self._who, self._timeout = client, recordings, who, timeout
        self._alone = alone
        self.url = url

    async def ask(self, record: TaskRecord, body: Any) -> Answer:
        """What comes of a POST of ``body``, while tools answer as the record of the task says.

        Raises:
            NoAnswer: none came that can be read.
            TransportFailed: the connection broke.
            ReplayError: whoever answers isn't in replay mode, or doesn't tell what it did.
        """
        with self._recordings.attempt(record) as attempt:
            began = time.monotonic()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._check(attempt.token)
                    began = time.monotonic()
                    response = await self._post(record.id, body, attempt)
            except TimeoutError as error:
                raise NoAnswer(self._late, seconds=time.monotonic() - began) from error
            took = time.monotonic() - began
            if len(response.content) > LARGEST:
                raise NoAnswer(f"the answer is longer than {LARGEST} bytes", seconds=took)
            return Answer(response, took, await self._told(attempt))

    async def check(self) -> None:
        """Whether the agent can be asked at all. Raises TransportFailed and ReplayError as ``ask`` does."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._check(ANSWERS)
        except TimeoutError as error:
            raise TransportFailed(self._late, reached=False) from error

    async def greet(self) -> None:
        """Whether the agent knows where this replay is: after a replay's pod was lost, its name may lead to the old one for a while.

        The token that is shown opens nothing. An agent in replay mode asks for a record before it does anything, and refuses without one.

        Raises:
            TransportFailed: it doesn't, or the connection broke.
        """
        with self._recordings.knock() as knock:
            response = await self._send("GET", {REPLAY_HEADER: knock.token})
            if response.status_code == _NOT_FETCHED and not knock.heard.is_set():
                raise TransportFailed(_lost(response), reached=False)

    @property
    def _late(self) -> str:
        return f"no answer within {self._timeout:g} s"

    async def _check(self, token: str) -> None:
        response = await self._send("OPTIONS", {REPLAY_HEADER: token})
        if response.headers.get(REPLAY_HEADER) != ANSWERS:
            raise ReplayError(
                f"the {self._who} at {self.url} doesn't say that it is in replay mode (status {response.status_code}), so it "
                "isn't asked: it would call its tools for real. Start it with AGENT_REPLAY=1 and AGENT_REPLAY_URL, and with a kit that knows replays"
            )

    async def _post(self, task: str, body: Any, attempt: Open) -> httpx.Response:
        headers = {REPLAY_HEADER: attempt.token, "accept": "application/json"}
        response = await self._send("POST", headers, body)
        said = response.headers.get(REPLAY_HEADER)
        if said != ANSWERS:
            refused = response.status_code == _NOT_FETCHED
            if self._alone and refused and not attempt.fetched.is_set():
                raise TransportFailed(_lost(response), reached=False)
            kind = RecordNotFetchedError if refused else ReplayError
            raise kind(
                f"the {self._who} at {self.url} answered task {task} without saying that it was a replay "
                f"({short(response.text)}): nothing more is asked. Is every pod behind the address in replay mode, and does it reach AGENT_REPLAY_URL?"
            )
        return response

    async def _send(self, method: str, headers: Mapping[str, str], body: Any = None) -> httpx.Response:
        try:
            async with self._client.stream(method, self.url, headers=headers, json=body) as response:
                return await _read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TransportFailed(str(error) or type(error).__name__, reached=False) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransportFailed(str(error) or type(error).__name__, reached=True) from error

    async def _told(self, attempt: Open) -> Told:
        try:
            async with asyncio.timeout(self._timeout):
                return await attempt.told
        except TimeoutError as error:
            raise ReplayError(
                f"the {self._who} at {self.url} answered, but its kit didn't tell what it did: does it reach AGENT_REPLAY_URL?"
            ) from error


async def _read(response: httpx.Response) -> httpx.Response:
    """An answer with its body, of one that is longer than LARGEST a little more than that."""
    body = await beginning_of(response, LARGEST)
    # NB: of the headers that describe a body some don't describe this one, which is decoded already.
    kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
    return httpx.Response(response.status_code, headers=kept, content=body)


def _lost(response: httpx.Response) -> str:
    return f"it doesn't reach AGENT_REPLAY_URL ({short(response.text)})"


def short(text: str) -> str:
    """The begin of a text on one line, for an error."""
    return " ".join(text.split())[:_MOST_ERROR]
