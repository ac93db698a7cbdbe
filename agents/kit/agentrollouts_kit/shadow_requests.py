"""How a shadow is received: said yes to or refused, before the agent hears of it.

The default is to refuse. An agent that does for a shadow what it does for a user would refund, book or write twice.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from agentrollouts_kit.context import SHADOW_HEADER
from agentrollouts_kit.shadow_call import ANSWERS

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

REFUSES: Final = "refuses"
_REFUSAL: Final = {
    "error": "this agent answers no shadow requests: let it do nothing that lasts in a task with task.shadow, and say so "
    "with Reporter(shadow_answers=True) or AGENT_SHADOW_ANSWERS=true"
}


async def admitted(scope: MutableMapping[str, Any], send: Send, *, answers: bool) -> bool:
    """Whether the agent is to see this shadow request. A preflight and a refusal are answered here."""
    preflight = scope["type"] == "http" and scope["method"] == "OPTIONS"
    if answers and not preflight:
        return True
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "no shadows here"})
        return False
    word = ANSWERS if answers else REFUSES
    body = b"" if answers else json.dumps(_REFUSAL).encode() + b"\n"
    headers = [(SHADOW_HEADER.encode(), word.encode()), (b"content-type", b"application/json")]
    headers += [] if answers else [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 204 if answers else 501, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return False
