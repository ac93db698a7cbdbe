"""The HTTP face: one task per POST, as JSON or as server-sent events, or many over a WebSocket; and the probes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_ai.exceptions import AgentRunError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from support_agent.agent import SupportAgent, desk_for
from support_agent.crashing import crash_later
from support_agent.desk import Desk
from support_agent.outcomes import reported
from support_agent.reply import Reply
from support_agent.settings import Settings
from support_agent.streaming import Pace, sse_event, sse_events

logger: Final = logging.getLogger(__name__)


class TaskRequest(BaseModel):
    """The body of a task; `end_session` says that the user has no further question."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=2000)]
    order: Annotated[str, Field(max_length=32)] = ""
    end_session: bool = False


class TrialRequest(BaseModel):
    """A task under a prompt that is on trial; `input` is the body of the task as its user sent it."""

    model_config = ConfigDict(extra="forbid")

    system_prompt: Annotated[str, Field(min_length=1, max_length=100_000)]
    input: TaskRequest


class Worker(Protocol):
    """Who does the tasks. Raises pydantic_ai's AgentRunError where no answer can be had."""

    async def work(self, desk: Desk) -> Reply:
        """Do the desk's task."""

    def cost_of(self, desk: Desk, /) -> float:
        """What it cost in US dollars."""


class Web:
    """The handlers, around one agent."""

    def __init__(self, agent: Worker, settings: Settings) -> None:
        self._agent = agent
        self._settings = settings

    def app(self) -> Starlette:
        """The ASGI app, without outcome reporting: wrap it in `outcomes.reporting`."""
        routes = [
            Route("/v1/tasks", self.tasks, methods=["POST"]),
            WebSocketRoute("/v1/chat", self.chat),
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
        ]
        if self._settings.trial:
            routes.append(Route("/v1/trial", self.trial, methods=["POST"]))
        return Starlette(routes=routes, lifespan=self._lifespan)

    async def tasks(self, request: Request) -> Response:
        """One task; streamed when the caller accepts an event stream."""
        try:
            task = TaskRequest.model_validate_json(await request.body())
            pace = Pace.model_validate(dict(request.query_params))
        except ValidationError as error:
            return self._json({"error": _explain(error)}, status=400)
        if "text/event-stream" in request.headers.get("accept", ""):
            return StreamingResponse(self._stream(task, pace), media_type="text/event-stream")
        try:
            return self._json(await self._do(task))
        except AgentRunError as error:
            return self._json({"error": self._note(error)}, status=500)

    async def trial(self, request: Request) -> Response:
        """One task under the prompt that comes with it. It is served in replay mode: nobody counts it, and nothing its tools do lasts."""
        assert isinstance(self._agent, SupportAgent), "settings allow no trial elsewhere"
        try:
            asked = TrialRequest.model_validate_json(await request.body())
        except ValidationError as error:
            return self._json({"error": _explain(error)}, status=400)
        desk = desk_for(asked.input.text, asked.input.order)
        try:
            reply = await self._agent.try_prompt(desk, asked.system_prompt)
        except AgentRunError as error:
            return self._json({"error": self._note(error)}, status=500)
        return self._json(self._body(reply, desk))

    async def chat(self, socket: WebSocket) -> None:
        """Many tasks over one connection: each message is a task's body, each answer one message."""
        await socket.accept()
        try:
            while True:
                await socket.send_json(await self._chat_turn(await socket.receive_text()))
        except WebSocketDisconnect:
            return

    async def healthz(self, _: Request) -> Response:
        """Alive: the event loop answers."""
        return self._json({"status": "alive"})

    async def readyz(self, _: Request) -> Response:
        """Ready to take tasks."""
        if self._settings.crash.when == "never-ready":
            return self._json({"status": "not ready: SUPPORT_CRASH=never-ready"}, status=503)
        return self._json({"status": "ready"})

    async def _do(self, task: TaskRequest) -> dict[str, str]:
        desk = desk_for(task.text, task.order)
        with reported(desk, self._agent.cost_of) as report:
            if task.end_session:
                report.end_session()
            reply = await self._agent.work(desk)
            report.response(reply.answer)
            return self._body(reply, desk)

    async def _stream(self, task: TaskRequest, pace: Pace) -> AsyncIterator[str]:
        """The task lasts until the last event has left, so a caller who hangs up early is seen in its duration."""
        desk = desk_for(task.text, task.order)
        try:
            with reported(desk, self._agent.cost_of) as report:
                if task.end_session:
                    report.end_session()
                reply = await self._agent.work(desk)
                report.response(reply.answer)
                async for event in sse_events(self._body(reply, desk), pace):
                    yield event
        except AgentRunError as error:
            yield sse_event("error", {"error": self._note(error), "version": self._settings.version})

    async def _chat_turn(self, text: str) -> dict[str, str]:
        try:
            return await self._do(TaskRequest.model_validate_json(text))
        except ValidationError as error:
            return {"error": _explain(error), "version": self._settings.version}
        except AgentRunError as error:
            return {"error": self._note(error), "version": self._settings.version}

    def _body(self, reply: Reply, desk: Desk) -> dict[str, str]:
        version, cohort = desk.colleague
        by = {"colleague_version": version, "colleague_cohort": cohort} if version else {}
        return {"answer": reply.answer, "label": reply.label, "version": self._settings.version, **by}

    def _json(self, body: dict[str, str], *, status: int = 200) -> Response:
        return JSONResponse({**body, "version": self._settings.version}, status_code=status)

    def _note(self, error: AgentRunError) -> str:
        logger.warning("task failed: %s", error)
        return f"no answer ({type(error).__name__}): try again, or look at the agent's log"

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        crash = asyncio.create_task(crash_later(self._settings.crash))
        yield
        crash.cancel()


def _explain(error: ValidationError) -> str:
    problems = (f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors())
    return 'expected {"text": "…", "order": "A-1007"}; ' + json.dumps("; ".join(problems))[1:-1]
