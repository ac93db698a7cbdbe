"""An agent whose tasks take 20 ms in which it only waits, as for a model, so that whatever holds it up is seen by its callers.

Run: python -m bench.waiting_agent PORT, with the kit's variables
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvicorn

from agentrollouts_kit import OutcomeMiddleware, task

TASK_SECONDS = 0.02


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    asked = b""
    while (message := await receive()).get("more_body"):
        asked += message["body"]
    order = json.loads(asked + message["body"])["order"]
    with task() as work:
        await asyncio.sleep(TASK_SECONDS / 2)
        work.tool_call(
            "look_up_order", arguments={"order": order}, result={"state": "shipped", "items": [1, 2]}
        )
        work.llm_call(input_tokens=900, output_tokens=120, cost_usd=0.002)
        await asyncio.sleep(TASK_SECONDS / 2)
        work.success()
    answer = json.dumps({"answer": f"Order {order} is on its way."}).encode()
    kind = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": kind})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvicorn.run(
        OutcomeMiddleware(app), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False
    )
