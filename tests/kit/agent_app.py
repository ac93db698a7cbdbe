"""An agent for the tests with a truth: it does as the request says, and says how far it got.

`begun` is sent when the task has begun, `done` when it has ended; with `hold` it never ends.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

from agentrollouts_kit import OutcomeMiddleware, Reporter, task


async def _agent(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    asked = dict(parse_qsl(scope["query_string"].decode()))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    with task() as t:
        t.add_cost(0.125)
        t.tool_call("lookup", ok=asked["outcome"] != "failure")
        t.score("similarity", 0.25)
        await send({"type": "http.response.body", "body": b"begun\n", "more_body": True})
        if "hold" in asked:
            await asyncio.Event().wait()
        if asked["outcome"] == "escalated":
            t.intervention()
        {"success": t.success, "failure": t.fail, "refused": t.refuse, "escalated": t.escalate}[
            asked["outcome"]
        ]()
    await send({"type": "http.response.body", "body": b"done\n"})


app = OutcomeMiddleware(_agent, Reporter(tools=("lookup",), scores=("similarity",), max_open_sessions=1000))
