"""How a replayed task is received: only where the process is in replay mode, with the record of its tools, and never by mistake.

A process that isn't refuses: it would do for real what the record only tells of, and whoever could say "this is a replay" from outside could
answer for its tools.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agentrollouts_kit.context import REPLAY_HEADER, RequestContext, current
from agentrollouts_kit.release import safe_tools
from agentrollouts_kit.replay import Replay
from agentrollouts_kit.replay_call import ReplayFailedError, fetch_calls, is_token, send_report
from agentrollouts_kit.shadow_call import ANSWERS

if TYPE_CHECKING:
    from agentrollouts_kit.reporter import Reporter

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SAYS: Final = (REPLAY_HEADER.encode(), ANSWERS.encode())
_REFUSES: Final = "this agent is not in replay mode: start a process of its own with AGENT_REPLAY=1"
_NO_TOKEN: Final = f"expected a token of 32 hexadecimal digits in {REPLAY_HEADER}"


class Call(NamedTuple):
    """A call of the app, as ASGI makes it."""

    app: App
    scope: Scope
    receive: Receive
    send: Send


async def replayed(call: Call, context: RequestContext, reporter: Reporter) -> None:
    """Pass a request on as a replay, or answer it here. In replay mode every request comes this way."""
    settings, token = reporter.settings, context.replay_token
    if not settings.replay:
        await _refuse(call, 501, _REFUSES)
    elif token is None:
        # NB: a probe, or somebody who doesn't know where they are; tools that aren't safe do nothing for them either.
        await _pass_on(call, context, Replay(safe_tools=safe_tools(settings.safe_tools)))
    elif call.scope["type"] == "http" and call.scope["method"] == "OPTIONS":
        await call.send({"type": "http.response.start", "status": 204, "headers": [_SAYS]})
        await call.send({"type": "http.response.body", "body": b""})
    elif call.scope["type"] != "http" or not is_token(token):
        await _refuse(call, 400, _NO_TOKEN)
    else:
        await _attempt(call, context, reporter, token)


async def _attempt(call: Call, context: RequestContext, reporter: Reporter, token: str) -> None:
    settings = reporter.settings
    try:
        calls = await asyncio.to_thread(fetch_calls, settings.replay_url, token)
    except ReplayFailedError as error:
        await _refuse(call, 502, str(error))
        return
    replay = Replay(calls, safe_tools=safe_tools(settings.safe_tools))
    try:
        await _pass_on(call._replace(send=_marked(call.send)), context, replay)
    finally:
        identity = reporter.identity
        who = {"version": identity.version, "digest": identity.release_digest}
        try:
            await asyncio.to_thread(send_report, settings.replay_url, token, who | replay.report())
        except ReplayFailedError as error:
            reporter.problems.note("replay", "what a replayed task did could not be told", error=error)


async def _pass_on(call: Call, context: RequestContext, replay: Replay) -> None:
    token = current.set(replace(context, shadow=True, session=None, stain=None, replay=replay))
    try:
        await call.app(call.scope, call.receive, call.send)
    finally:
        current.reset(token)


def _marked(send: Send) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), _SAYS]}
        await send(message)

    return marked


async def _refuse(call: Call, status: int, why: str) -> None:
    if call.scope["type"] == "websocket":
        await call.send({"type": "websocket.close", "code": 1008, "reason": why[:100]})
        return
    body = json.dumps({"error": why}).encode() + b"\n"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await call.send({"type": "http.response.start", "status": status, "headers": headers})
    await call.send({"type": "http.response.body", "body": body})
