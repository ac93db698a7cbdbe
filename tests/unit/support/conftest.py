from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from agentrollouts_kit import Identity, Reporter, use_reporter
from agentrollouts_kit.default import default_reporter
from agentrollouts_kit.settings import Settings as KitSettings
from support_agent.agent import SupportAgent
from support_agent.outcomes import REPORTING, reporting
from support_agent.settings import Settings
from support_agent.web import Web, Worker

FAST = {"SUPPORT_LATENCY_MS": "0"}
SAFE = ("lookup_order", "search_faq")


class Served:
    """The agent behind an in-process HTTP client, and the reporter that counted its tasks."""

    def __init__(self, client: httpx.AsyncClient, reporter: Reporter) -> None:
        self.client = client
        self.reporter = reporter

    def count(self, name: str, **labels: str) -> float:
        families = {family.name: family for family in self.reporter.collect()}
        family = families[name.removesuffix("_total")]
        return sum(
            sample.value
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


Serve = Callable[..., AbstractAsyncContextManager[Served]]


def build_app(env: dict[str, str], worker: Worker | None = None) -> tuple[Any, Reporter]:
    settings = Settings.from_env({**FAST, **env})
    identity = Identity(agent="support", version=settings.version, digest="0" * 12)
    mode = KitSettings.from_env(env)
    replaying = {"replay": mode.replay, "replay_url": mode.replay_url, "safe_tools": SAFE}
    reporter = Reporter(identity=identity, metrics_port=0, state_dir="", **replaying, **REPORTING)
    return reporting(Web(worker or SupportAgent(settings), settings).app(), reporter), reporter


@pytest.fixture
def serve() -> Serve:
    @asynccontextmanager
    async def _serve(worker: Worker | None = None, **env: str) -> AsyncIterator[Served]:
        before = default_reporter()
        app, reporter = build_app(env, worker)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://support") as client:
                yield Served(client, reporter)
        finally:
            reporter.close()
            use_reporter(before)

    return _serve


@pytest.fixture
def openai_server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An OpenAI-compatible endpoint that looks order A-1000 up and then calls whatever it is shipped.

    Yields its base URL and the requests it got.
    """
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append({"path": self.path, "authorization": self.headers["authorization"], **request})
            if request["model"] == "broken":
                self.send_error(500)
                return
            looked_up = any(message["role"] == "tool" for message in request["messages"])
            name = "final_result" if looked_up else "lookup_order"
            arguments = {"answer": "On its way.", "label": "shipped"} if looked_up else {"order": "A-1000"}
            call = {
                "id": f"c{len(seen)}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            body = json.dumps({
                "id": "x", "object": "chat.completion", "created": 1, "model": request["model"],
                "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
            }).encode()  # fmt: skip
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", seen
    server.shutdown()
    thread.join()
    server.server_close()
