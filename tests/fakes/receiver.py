"""A destination in a thread: takes notices on a port of this machine, and answers what it is told to."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Receiver:
    """What it answers next, and what it got."""

    statuses: list[int] = field(default_factory=list)
    """One answer each; 200 once they are used up."""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    hangs: bool = False
    """It takes the request and says nothing."""
    trickles: bool = False
    """It answers with the beginning of a body, and never ends."""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """(path, headers in lower case, body) of each request."""
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/hook/the-secret", scheme: str = "http", host: str = "localhost") -> str:
        """Where it listens."""
        return f"{scheme}://{host}:{self.port}{path}"


@contextmanager
def receiving(certificate: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """A receiver that listens until the block ends, with TLS where it has a certificate and the key of it."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if receiver.hangs:
                receiver.released.wait()
                return
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(receiver.body) + receiver.trickles))
            self.end_headers()
            with suppress(ConnectionError):  # whoever asked may have hung up, and may do so
                self.wfile.write(receiver.body)
            if receiver.trickles:
                receiver.released.wait()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.port = server.server_port
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
