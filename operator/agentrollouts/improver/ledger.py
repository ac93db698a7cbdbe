"""Tasks from the task ledger over HTTP, with the improver's token: what is held out never comes here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import httpx
from pydantic import ValidationError

from agentrollouts.api.task import TaskRecord
from agentrollouts.bounded_body import TooLargeError, content_of
from agentrollouts.improver.ports import TasksError
from agentrollouts.replay.unicode import written_down

FAILURES: Final = 500
"""Newest failures that are asked for: those of older versions, without a label or twice are left out afterwards."""
PAGE: Final = 200
PAGES: Final = 5
LARGEST: Final = 8 << 20
"""Bytes of one answer; the ledger ends a page at about 4 MiB."""
TIMEOUT: Final = 30.0


class LedgerTasks:
    """Implements :class:`agentrollouts.improver.ports.Tasks`."""

    def __init__(self, *, url: str, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._url = url.rstrip("/")
        self._client = httpx.AsyncClient(headers=headers, timeout=TIMEOUT)

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()

    async def failures(self, namespace: str, agent: str) -> Sequence[TaskRecord]:
        """The newest failures that users met."""
        return (await self._page("/v1/failures", {**_whose(namespace, agent), "limit": str(FAILURES)}))[0]

    async def successes(self, namespace: str, agent: str, version: str) -> Sequence[TaskRecord]:
        """The newest successes of one version, at most a thousand."""
        found: list[TaskRecord] = []
        query = {**_whose(namespace, agent), "version": version, "outcome": "success", "limit": str(PAGE)}
        for _ in range(PAGES):
            page, following = await self._page("/v1/tasks", query)
            found += page
            if following is None:
                break
            query["cursor"] = following
        return found

    async def _page(self, path: str, query: dict[str, str]) -> tuple[list[TaskRecord], str | None]:
        body = await self._get(path, query)
        try:
            records = [TaskRecord.model_validate(written_down(item)) for item in body["tasks"]]
            following = body["next"]
        except (ValidationError, LookupError, TypeError) as error:
            raise TasksError(f"what answers at {self._url} is no task ledger of this release") from error
        return records, following if following is None else str(following)

    async def _get(self, path: str, query: dict[str, str]) -> Any:
        try:
            async with self._client.stream("GET", self._url + path, params=query) as answer:
                content = await content_of(answer, LARGEST)
            status = answer.status_code
        except TooLargeError as error:
            raise TasksError(
                f"the answer of the task ledger at {self._url} is longer than {LARGEST} bytes"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TasksError(
                f"the task ledger at {self._url} can't be reached: {error or type(error).__name__}"
            ) from error
        if status in (401, 403):
            raise TasksError("the task ledger refuses the token: give the improver one of its own role")
        if status != 200:
            raise TasksError(f"the task ledger answered with HTTP {status}; try again later")
        try:
            return json.loads(content)
        except ValueError as error:
            raise TasksError(f"what answers at {self._url} is no task ledger") from error


def _whose(namespace: str, agent: str) -> dict[str, str]:
    """How the ledger names an agent."""
    return {"namespace": namespace, "agent": agent}
