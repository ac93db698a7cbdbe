"""A stable version for the tests of shadows: an HTTP server that answers as it is told and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Stable:
    """`word` is what it says to a preflight; `send` writes the whole answer to anything else."""

    word: str = "answers"
    status: int = 200
    body: bytes = b'{"answer": "yes"}'
    kind: str = "application/json"
    url: str = ""
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    send: Callable[[Any], None] | None = None

    def says(self, text: str) -> None:
        self.body = json.dumps({"answer": text}).encode()


@contextmanager
def serving() -> Iterator[Stable]:
    stable = Stable()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            self._note()
            self.send_response(204)
            if stable.word:
                self.send_header("x-agent-shadow", stable.word)
            self.end_headers()

        def do_POST(self) -> None:
            self._note()
            if stable.send is not None:
                stable.send(self)
                return
            self.send_response(stable.status)
            self.send_header("content-type", stable.kind)
            self.send_header("content-length", str(len(stable.body)))
            self.end_headers()
            self.wfile.write(stable.body)

        def _note(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            stable.asked.append((self.command, self.path, headers, body))

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    stable.url = f"http://127.0.0.1:{server.server_port}"
    yield stable
    server.shutdown()
    thread.join()
    server.server_close()
