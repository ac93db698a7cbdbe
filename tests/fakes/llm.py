"""A language model in a thread: speaks OpenAI's protocol on a port of this machine, and answers what it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agents.author.completion import completion

__all__ = ["GOOD", "Model", "completion", "serving"]
GOOD = {"action": "hold", "confidence": 0.85, "reason": "tool errors rise", "evidence": ["tools: 4.1%"]}


@dataclass
class Model:
    """What it answers next, and what it was asked."""

    status: int = 200
    body: Any = field(
        default_factory=lambda: completion(
            json.dumps(GOOD), usage={"prompt_tokens": 700, "completion_tokens": 23, "total_tokens": 723}
        )
    )
    """JSON; or bytes as they are; or what makes either of the body of the request."""
    script: list[Any] = field(default_factory=list)
    """Bodies that come first, one a request; afterwards it is ``body`` again."""
    statuses: list[int] = field(default_factory=list)
    """Those of the first requests, afterwards it is ``status`` again."""
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    """(path, headers in lower case, body) of each request."""
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def said(self) -> dict[str, Any]:
        """The document of the last question."""
        document: dict[str, Any] = json.loads(self.raw())
        return document

    def raw(self) -> str:
        """The last question as it came."""
        return str(self.asked[-1][2]["messages"][-1]["content"])


@contextmanager
def serving() -> Iterator[Model]:
    """A model that listens until the block ends."""
    model = Model()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            asked = json.loads(self.rfile.read(length))
            model.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, asked))
            if model.hangs:
                model.released.wait()
                return
            said = model.script.pop(0) if model.script else model.body
            said = said(asked) if callable(said) else said
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(model.statuses.pop(0) if model.statuses else model.status)
            for name, value in {"content-type": "application/json", **model.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield model
    finally:
        model.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
