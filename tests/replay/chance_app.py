"""An agent that decides by chance: of each hundred tasks it decides REFUSE_PERCENT otherwise, another hundred each time it is asked.

It pays for each task, by a tool that leaves a line in PAYMENTS: nothing of it may be there after a replay.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

from agentrollouts_kit import OutcomeMiddleware, Reporter, task, tool

_CHANCE = random.Random(os.environ.get("CHANCE_SEED", ""))
_REFUSE_PERCENT = float(os.environ.get("REFUSE_PERCENT", "0"))
_HANG_AFTER = int(os.environ.get("HANG_AFTER", "0"))
_HANGS = Path(os.environ.get("HANGS", os.devnull))
"""While this file is there, no task beyond the first HANG_AFTER is answered."""
_PAYMENTS = Path(os.environ.get("PAYMENTS", os.devnull))
_ASKED = Path(os.environ.get("ASKED", os.devnull))
_answered = 0


@tool
def pay(order: str) -> str:
    _note(_PAYMENTS, order)
    return f"paid {order}"


def _note(file: Path, line: str) -> None:
    with file.open("a") as log:
        log.write(f"{line}\n")


def _hangs() -> bool:
    return _answered > _HANG_AFTER and _HANGS.is_file()


async def _agent(scope: Any, receive: Any, send: Any) -> None:
    global _answered
    assert scope["type"] == "http"
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    asked = json.loads(body)
    _note(_ASKED, asked["text"])
    _answered += 1
    if _hangs():
        # Nobody disconnects before the test kills the replay.
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    with task() as t:
        pay(asked["text"])
        label = "refused" if _CHANCE.random() * 100 < _REFUSE_PERCENT else "paid"
        t.llm_call(input_tokens=10, output_tokens=5, cost_usd=0.001)
        t.success()
    answer = json.dumps({"label": label, "version": os.environ.get("AGENT_VERSION")}).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


app = OutcomeMiddleware(_agent, Reporter(tools=("pay",)))
