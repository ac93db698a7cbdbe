"""HTTP: a real server on loopback, and the sample agent itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from agentrollouts.evals.dataset import load
from agentrollouts.evals.http_target import LARGEST, HttpTarget
from agentrollouts.evals.results import HALF
from agentrollouts.evals.run import Pace, run
from agentrollouts.evals.target import TargetError
from support_agent.agent import SupportAgent
from support_agent.settings import Settings
from support_agent.web import Web


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.headers, json.loads(body)))  # type: ignore[attr-defined]
        status, kind, answer = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.send_header("location", "/login")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        found.seen, found.answer = [], (200, "application/json", b'{"output": "a"}')  # type: ignore[attr-defined]
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


async def ask(server: Any, inputs: Any, field: str = "") -> Any:
    async with httpx.AsyncClient() as client:
        return await HttpTarget(client, f"http://127.0.0.1:{server.server_port}/", field=field).ask(
            inputs, "run-1-2"
        )


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("inputs", "body"), [("q", {"input": "q"}), ([1], {"input": [1]}), ({"text": "q"}, {"text": "q"})]
)
async def test_an_object_is_the_body_and_anything_else_the_input(server: Any, inputs: Any, body: Any) -> None:
    assert await ask(server, inputs) == {"output": "a"}
    headers, sent = server.seen[0]
    assert sent == body
    assert (headers["x-agent-session"], headers["x-agent-session-end"]) == ("run-1-2", "true")


@pytest.mark.asyncio
async def test_one_field_of_the_answer(server: Any) -> None:
    assert await ask(server, "q", "output") == "a"
    with pytest.raises(TargetError, match=r"expected 'label' in the answer; got \{'output': 'a'\}"):
        await ask(server, "q", "label")


@pytest.mark.asyncio
async def test_what_isnt_json_is_text(server: Any) -> None:
    server.answer = (200, "text/plain", b"plain")
    assert await ask(server, "q") == "plain"
    with pytest.raises(TargetError, match="expected 'label' in the answer; got plain"):
        await ask(server, "q", "label")


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [302, 400, 500])
async def test_a_status_other_than_success_is_no_answer(server: Any, status: int) -> None:
    server.answer = (status, "text/plain", b"why")
    with pytest.raises(TargetError, match=f"status {status}: why"):
        await ask(server, "q")
    assert len(server.seen) == 1


@pytest.mark.asyncio
async def test_an_answer_that_is_too_large_is_no_answer(server: Any) -> None:
    server.answer = (200, "text/plain", b"a" * LARGEST)
    assert len(await ask(server, "q")) == LARGEST
    server.answer = (200, "text/plain", b"a" * (LARGEST + 1))
    with pytest.raises(TargetError, match="the answer is larger than 1048576 bytes"):
        await ask(server, "q")


@pytest.mark.asyncio
async def test_an_answer_in_another_encoding_is_read_as_it_says(server: Any) -> None:
    server.answer = (200, "text/plain; charset=iso-8859-1", "größer".encode("iso-8859-1"))
    assert await ask(server, "q") == "größer"


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1", "http://"])
async def test_nobody_there_is_no_answer(url: str) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(TargetError):
            await HttpTarget(client, url).ask("q", "s")


DATASET = """
cases:
- {name: order, inputs: {text: "Where is my order A-1000?"}, expected_output: delivered}
- {name: denied, inputs: {text: "I want my money back for A-1001."}, expected_output: refund-denied}
- {name: wrong, inputs: {text: "How may I pay?"}, expected_output: delivered}
- {name: refused, inputs: {question: "what?"}, expected_output: delivered}
"""


@pytest.mark.asyncio
async def test_the_sample_agent_is_evaluated_as_it_is() -> None:
    settings = Settings.from_env({"SUPPORT_WRONG_PERCENT": "0", "AGENT_VERSION": "1.0.0"})
    transport = httpx.ASGITransport(Web(SupportAgent(settings), settings).app())
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        target, done = HttpTarget(client, "/v1/tasks", field="label"), []
        await run(load(DATASET, yaml=True), target, Pace(repeats=2), name="run", done=done)
    scores = sorted((attempt.id, attempt.score >= HALF) for attempt in done)
    assert scores == [
        (name, name in ("denied", "order"))
        for name in ("denied", "order", "refused", "wrong")
        for _ in range(2)
    ]
    assert {attempt.id for attempt in done if (attempt.error or "").startswith("status 400")} == {"refused"}
