"""A server that answers as no registry should, and remembers what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bool = False


@dataclass
class Seen:
    method: str
    path: str
    authorization: str | None


@dataclass
class Hostile:
    """Its address and the requests so far."""

    host: str
    seen: list[Seen]


@contextmanager
def hostile(answer: Callable[[str, str, str | None], Answer]) -> Iterator[Hostile]:
    """Answers each request by (method, path, Authorization header)."""
    seen: list[Seen] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            authorization = self.headers.get("authorization")
            self.rfile.read(int(self.headers.get("content-length") or 0))
            seen.append(Seen(self.command, self.path, authorization))
            given = answer(self.command, self.path, authorization)
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            if not given.endless:
                self.send_header("content-length", str(len(given.body)))
            self.end_headers()
            try:
                self.wfile.write(given.body)
                while given.endless:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815 - the names the base class calls

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield Hostile(f"127.0.0.1:{server.server_address[1]}", seen)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
