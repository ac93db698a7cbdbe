"""A front desk: hands each task to another agent and passes its answer on, under the user's own session and cohort."""

from __future__ import annotations

from typing import Final

import httpx
from pydantic import ValidationError
from pydantic_ai.exceptions import AgentRunError

from agentrollouts_kit import propagate_async
from support_agent.desk import Desk
from support_agent.reply import Reply

_TIMEOUT_SECONDS: Final = 60.0


class ColleagueError(AgentRunError):
    """The other agent gave no answer that can be passed on."""


class Colleague:
    """The agent behind `url`, called by its logical name as any caller would.

    The kit's hook puts the session and the stain of the request at hand on the call: a user who meets the candidate here
    meets it there too, while both are rolled out as one group.
    """

    def __init__(self, url: str, *, client: httpx.AsyncClient | None = None) -> None:
        self._client = client or httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_SECONDS)
        self._client.event_hooks["request"].append(propagate_async)

    async def work(self, desk: Desk) -> Reply:
        """Have the desk's task done. Raises ColleagueError where no usable answer came."""
        task = {"text": desk.text, "order": desk.order}
        try:
            response = await self._client.post("/v1/tasks", json=task)
            response.raise_for_status()
            reply = Reply.model_validate(response.json())
        except (httpx.HTTPError, ValidationError, ValueError) as error:
            raise ColleagueError(f"the agent at {self._client.base_url} gave no answer: {error}") from error
        desk.colleague = (
            response.headers.get("x-routed-version", ""),
            response.headers.get("x-agent-cohort", ""),
        )
        return reply

    def cost_of(self, _: Desk) -> float:
        """Nothing: whoever does the work reports what it costs."""
        return 0.0
