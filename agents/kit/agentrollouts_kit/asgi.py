"""The ASGI middleware: hands the router's headers to the tasks of a request; answers nothing but what it refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

from agentrollouts_kit.context import current, request_context
from agentrollouts_kit.default import default_reporter, use_reporter
from agentrollouts_kit.replay_requests import Call, replayed
from agentrollouts_kit.reporter import Reporter
from agentrollouts_kit.shadow_requests import admitted

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_STOPPED = ("lifespan.shutdown.complete", "lifespan.shutdown.failed")


class OutcomeMiddleware:
    """`app = OutcomeMiddleware(app)`: serves /metrics on its own port from the start and drains it at the end.

    It counts no request: what a task is and how it went only the agent knows, whatever the HTTP status says.
    A `reporter` given here becomes that of the process, so that background jobs count with it too.
    """

    def __init__(self, app: App, reporter: Reporter | None = None) -> None:
        self.app = app
        self.reporter = default_reporter() if reporter is None else use_reporter(reporter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, in its context."""
        if scope["type"] == "lifespan":
            self.reporter.serve()
            await _Lifespan(self.app, self.reporter, receive, send).run(scope)
        elif scope["type"] in ("http", "websocket"):
            self.reporter.serve()
            await self._request(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = request_context(scope["headers"], self.reporter)
        if context.replay_token is not None or self.reporter.settings.replay:
            await replayed(Call(self.app, scope, receive, send), context, self.reporter)
            return
        if context.shadow and not await admitted(scope, send, answers=self.reporter.settings.shadow_answers):
            return
        capture = self.reporter.shadows.sample(scope, context) if scope["type"] == "http" else None
        if capture is not None:
            context = replace(context, capture=capture)
            receive, send = capture.watch_receive(receive), capture.watch_send(send)
        exchange = self.reporter.recording.exchange(scope)
        if exchange is not None:
            context = replace(context, exchange=exchange)
            receive, send = exchange.watch_receive(receive), exchange.watch_send(send)
        token = current.set(context)
        try:
            await self.app(scope, receive, send)
        finally:
            if exchange is not None:
                self.reporter.recording.end(exchange)
            if capture is not None:
                self.reporter.shadows.submit(capture)
            if context.ends_session:
                self.reporter.close_session()
            current.reset(token)


class _Lifespan:
    """The lifespan protocol around an app: its shutdown is complete when the last scrape has come.

    Many small apps know no lifespan and raise or return at once; for these it answers in their place, because
    without an answer the server would never say when it stops.
    """

    def __init__(self, app: App, reporter: Reporter, receive: Receive, send: Send) -> None:
        self._app = app
        self._reporter = reporter
        self._receive = receive
        self._send = send
        self._app_takes_part = False

    async def run(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._watched_receive, self._watched_send)
        except Exception:
            if self._app_takes_part:
                raise
        if not self._app_takes_part:
            await self._answer()

    async def _watched_receive(self) -> Message:
        self._app_takes_part = True
        return await self._receive()

    async def _watched_send(self, message: Message) -> None:
        self._app_takes_part = True
        if message["type"] in _STOPPED:
            await self._reporter.drain()
        await self._send(message)

    async def _answer(self) -> None:
        while (await self._receive())["type"] == "lifespan.startup":
            await self._send({"type": "lifespan.startup.complete"})
        await self._reporter.drain()
        await self._send({"type": "lifespan.shutdown.complete"})
