"""The port: chat completions, and a note of everything that was asked, so that others can tell what an author was shown."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agents.author.completion import Answer, answered, inputs_in

LARGEST = 4 << 20
"""Bytes of one request."""


@dataclass(slots=True)
class Notes:
    """What was asked so far. ``used``: requests and tokens by model."""

    inputs: set[str] = field(default_factory=set)
    used: dict[str, Counter[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, asked: dict[str, Any], answer: dict[str, Any]) -> None:
        """One request that was answered."""
        told = answer["usage"]
        with self._lock:
            self.inputs |= inputs_in(asked["messages"])
            self.used.setdefault(answer["model"], Counter()).update(
                requests=1, input_tokens=told["prompt_tokens"], output_tokens=told["completion_tokens"]
            )

    def document(self) -> dict[str, Any]:
        """For whoever asks."""
        with self._lock:
            used = {model: dict(counts) for model, counts in sorted(self.used.items())}
            return {"inputs": sorted(self.inputs), "used": used}


def server(port: int, host: str = "0.0.0.0") -> ThreadingHTTPServer:  # noqa: S104 - a pod is reached from other pods
    """Listens already; ``serve_forever`` answers. Port 0 is one that the system chooses."""
    notes = Notes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pages = {"/healthz": {"status": "alive"}, "/v1/asked": notes.document()}
            known = self.path in pages
            self._say(200 if known else 404, pages.get(self.path) or _unknown(self.path))

        def do_POST(self) -> None:
            if self.path != "/v1/chat/completions":
                self._say(404, _unknown(self.path))
                return
            self._say(*self._answer())

        def _answer(self) -> Answer:
            length = int(self.headers.get("content-length") or 0)
            if not 0 < length <= LARGEST:
                return 413, {"error": {"message": f"expected 1 to {LARGEST} bytes of JSON; got {length}"}}
            try:
                asked = json.loads(self.rfile.read(length))
            except ValueError:
                return 400, {"error": {"message": "expected JSON; got something else"}}
            status, body = answered(asked)
            if status == 200:
                notes.take(asked, body)
            return status, body

        def _say(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Tasks stand in no log."""

    listening = ThreadingHTTPServer((host, port), Handler)
    listening.daemon_threads = True
    return listening


def _unknown(path: str) -> dict[str, Any]:
    return {"error": {"message": f"expected POST /v1/chat/completions or GET /v1/asked; got {path}"}}
