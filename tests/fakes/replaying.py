"""An agent in a thread that says it is in replay mode, and tells what it did."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any


class Agent:
    """An agent in replay mode, as the kit makes one, with one part that is wrong at a time. ``answer`` makes the answer to a body."""

    def __init__(self, replayer: str) -> None:
        self.replayer = replayer
        self.answer: Callable[[Any], Any] = lambda _: {"label": "paid"}
        self.asked: list[Any] = []
        self.break_first = self.refuse_first = 0
        self.status = 200
        self.says_before = self.says_after = True
        self.reports = True
        self.checks, self.says_times = 0, 1000
        self.gate: Event | None = None
        self.running = self.most = 0
        self._lock = Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_OPTIONS(self) -> None:
                outer.checks += 1
                self._answer(204, b"", says=outer.says_before and outer.checks <= outer.says_times)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with outer._lock:
                    outer.asked.append(body)
                    broken = len(outer.asked) <= outer.break_first
                    refused = len(outer.asked) <= outer.refuse_first
                    outer.running += 1
                    outer.most = max(outer.most, outer.running)
                if outer.gate is not None:
                    outer.gate.wait(30)
                with outer._lock:
                    outer.running -= 1
                if broken:
                    self.close_connection = True
                    self.connection.close()
                    return
                if refused:
                    self._answer(502, b'{"error": "no answer from the replayer"}', says=False)
                    return
                self._answer(outer.status, json.dumps(outer.answer(body)).encode(), says=outer.says_after)
                if outer.reports:
                    outer.report(self.headers["x-agent-replay"])

            def _answer(self, status: int, body: bytes, *, says: bool) -> None:
                self.send_response(status)
                if says:
                    self.send_header("x-agent-replay", "answers")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):
                    self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/tasks"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def report(self, token: str) -> None:
        """Tell of an attempt, unless nobody waits for it any more."""
        with suppress(OSError):
            self._report(token)

    def _report(self, token: str) -> None:
        url = f"{self.replayer}/v1/replays/{token}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            calls = json.loads(answer.read())["calls"]
        told = {"version": "1.0.0", "calls": [call | {"source": "recorded"} for call in calls]}
        urllib.request.urlopen(
            urllib.request.Request(url, json.dumps(told).encode(), method="POST"), timeout=10
        ).close()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
