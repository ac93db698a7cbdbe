"""/metrics on a port of its own, so that it answers whatever server or framework the agent uses, busy or not."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from agentrollouts_kit.problems import Problems

SCRAPER_HEADER: Final = "X-Prometheus-Scrape-Timeout-Seconds"
"""Sent by Prometheus and what descends from it. Only their scrapes keep counts, a person's look does not."""
_RETRY_SECONDS: Final = 1.0
_CLIENT_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Scrape:
    """One answer to a scrape; `delivered` is to be called once it was sent completely."""

    body: bytes
    content_type: str
    delivered: Callable[[], None]


Render = Callable[[str], Scrape]
"""From the Accept header of a request to its answer."""


class MetricsServer:
    """Serves from a daemon thread, and keeps trying while another process has the port.

    Processes of one pod share the counts through the state directory, so whichever holds the port reports for all,
    and when it ends another takes over.
    """

    def __init__(self, render: Render, *, port: int, problems: Problems) -> None:
        self._render = render
        self._port = port
        self._problems = problems
        self._stopping = threading.Event()
        self._server = self._bind()
        self._thread = threading.Thread(target=self._serve, name="agent-metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int | None:
        """The port it listens on, None while another process has it."""
        return self._server.server_address[1] if self._server is not None else None

    def close(self) -> None:
        """Stop listening; for tests and for agents that end before their process does."""
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()
        self._thread.join()

    def _serve(self) -> None:
        while self._server is None and not self._stopping.wait(_RETRY_SECONDS):
            self._server = self._bind()
        if self._server is not None:
            with self._server:
                self._server.serve_forever(poll_interval=0.1)

    def _bind(self) -> _Server | None:
        handler = type("MetricsHandler", (_Handler,), {"render": staticmethod(self._render)})
        try:
            return _Server(self._port, handler)
        except OSError as error:
            self._problems.note(
                "port",
                "metrics port %d cannot be opened (%s): trying again; processes of one pod report for one another "
                "when AGENT_STATE_DIR is set",
                self._port,
                error,
            )
            return None


class _Server(ThreadingHTTPServer):
    """On all addresses of the pod, IPv4 and IPv6."""

    allow_reuse_port = False

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        if socket.has_dualstack_ipv6():
            self.address_family = socket.AF_INET6
        super().__init__(("", port), handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not HTTPServer.server_bind: that asks the DNS for our own name, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "agent-metrics", self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _CLIENT_TIMEOUT_SECONDS
    render: Render

    def do_GET(self) -> None:
        if self.path.partition("?")[0] not in ("/", "/metrics"):
            self.send_error(HTTPStatus.NOT_FOUND, explain="metrics are at /metrics")
            return
        scrape = type(self).render(self.headers.get("Accept", ""))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", scrape.content_type)
        self.send_header("Content-Length", str(len(scrape.body)))
        self.end_headers()
        self.wfile.write(scrape.body)
        if SCRAPER_HEADER in self.headers:
            scrape.delivered()

    def log_message(self, format: str, *args: object) -> None:
        """A scrape is no news."""
