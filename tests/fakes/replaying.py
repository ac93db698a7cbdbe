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
        self.also: list[dict[str, str]] = []
        """Calls that every task makes beside those of its record, as they are told."""
        self.endless = False
        self.checks, self.says_times = 0, 1000
        self.gate: Event | None = None
        self.running = self.most = 0
        self.lock = Lock()
        handler = type("Handler", (_Handler,), {"agent": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
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
        made = [call | {"source": "recorded"} for call in calls]
        told = {"version": "1.0.0", "calls": made + self.also}
        urllib.request.urlopen(
            urllib.request.Request(url, json.dumps(told).encode(), method="POST"), timeout=10
        ).close()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    agent: Agent
    protocol_version = "HTTP/1.1"

    def do_OPTIONS(self) -> None:
        agent = self.agent
        agent.checks += 1
        self._answer(204, b"", says=agent.says_before and agent.checks <= agent.says_times)

    def do_POST(self) -> None:
        agent, body = self.agent, json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = self._take(body)
        if number <= agent.break_first:
            self.close_connection = True
            self.connection.close()
        elif number <= agent.refuse_first:
            self._answer(502, b'{"error": "no answer from the replayer"}', says=False)
        elif agent.endless:
            self._answer_on_and_on()
        else:
            self._answer(agent.status, json.dumps(agent.answer(body)).encode(), says=agent.says_after)
            if agent.reports:
                agent.report(self.headers["x-agent-replay"])

    def log_message(self, *args: object) -> None:
        pass

    def _take(self, body: Any) -> int:
        """The how manieth task this is, once the gate is open."""
        agent = self.agent
        with agent.lock:
            agent.asked.append(body)
            number = len(agent.asked)
            agent.running += 1
            agent.most = max(agent.most, agent.running)
        if agent.gate is not None:
            agent.gate.wait(30)
        with agent.lock:
            agent.running -= 1
        return number

    def _answer(self, status: int, body: bytes, *, says: bool) -> None:
        self.send_response(status)
        if says:
            self.send_header("x-agent-replay", "answers")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body)

    def _answer_on_and_on(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("x-agent-replay", "answers")
        self.end_headers()
        with suppress(ConnectionError):
            while True:
                self.wfile.write(b"x" * 65_536)
