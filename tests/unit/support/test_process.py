"""The agent as a process of its own: how it starts, falls over, talks over a WebSocket and stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from websockets.sync.client import connect

DEADLINE_SECONDS = 30.0
Start = Callable[..., tuple[subprocess.Popen[str], str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def _start(**env: str) -> tuple[subprocess.Popen[str], str]:
        port = free_port()
        ports = {"SUPPORT_PORT": str(port), "AGENT_METRICS_PORT": str(free_port())}
        process = subprocess.Popen(
            [sys.executable, "-m", "support_agent"],
            env={**os.environ, **ports, **env},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, f"http://127.0.0.1:{port}"

    yield _start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_ready(process: subprocess.Popen[str], url: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail("the agent never became ready")


def test_a_crash_at_the_start(start):
    process, _ = start(SUPPORT_CRASH="start")
    _, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 70
    assert "SUPPORT_CRASH=start" in stderr


def test_a_crash_some_time_after_it_was_ready(start):
    process, url = start(SUPPORT_PROFILE="crashing", SUPPORT_CRASH="after:1")
    wait_ready(process, url)
    process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 70


def test_a_wrong_setting_ends_the_process_with_a_reason(start):
    process, _ = start(SUPPORT_PROFILE="best")
    _, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 2
    assert stderr.strip().endswith("got 'best'")


def test_a_chat_over_a_websocket_and_a_graceful_stop(start):
    process, url = start(AGENT_VERSION="1.2.3", SUPPORT_WRONG_PERCENT="0")
    wait_ready(process, url)
    with connect(url.replace("http", "ws") + "/v1/chat") as chat:
        for order, label in (("A-1000", "delivered"), ("A-9999", "unknown-order")):
            chat.send(json.dumps({"text": "Where is it?", "order": order}))
            answer = json.loads(chat.recv(timeout=DEADLINE_SECONDS))
            assert (answer["label"], answer["version"]) == (label, "1.2.3")
        chat.send("no json")
        assert "expected" in json.loads(chat.recv(timeout=DEADLINE_SECONDS))["error"]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode in (0, -signal.SIGTERM)
