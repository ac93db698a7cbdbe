"""An agent in a thread that runs any prompt it is sent, and does what the prompt says about returns."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RULE = "Say returned where the record says that the goods came back."


def obeys(prompt: str, task: Any) -> Any:
    """Right about returns where the prompt has the rule, and about all else unless the prompt forgets to look up."""
    right = "returned" if task["kind"] == "return" else "shipped"
    knows = RULE in prompt if task["kind"] == "return" else "Look an order up" in prompt
    return {"label": right if knows else "wrong", "answer": "…"}


@dataclass
class TrialAgent:
    """What it answers, and which prompts it was sent."""

    answer: Callable[[str, Any], Any] = obeys
    status: int = 200
    url: str = ""
    prompts: set[str] = field(default_factory=set)


@contextmanager
def serving() -> Iterator[TrialAgent]:
    """An agent that listens until the block ends."""
    agent = TrialAgent()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            agent.prompts.add(asked["system_prompt"])
            body = json.dumps(agent.answer(asked["system_prompt"], asked["input"])).encode()
            self.send_response(agent.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    agent.url = f"http://127.0.0.1:{server.server_port}/v1/trial"
    try:
        yield agent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
