"""Real agent processes in replay mode, and records of what they did."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_DEADLINE_SECONDS = 240.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class AgentProcess:
    """One agent: the sample agent, or an ASGI app of the tests under uvicorn."""

    def __init__(self, folder: Path, app: str = "", **env: str) -> None:
        self.port = free_port()
        self.log = folder / f"agent-{self.port}.log"
        serve = [app, "--port", str(self.port), "--log-level", "warning"]
        command = ["uvicorn", *serve] if app else ["support_agent"]
        self._file = self.log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("AGENT_")},
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "SUPPORT_PORT": str(self.port),
                "AGENT_METRICS_PORT": str(free_port()),
                "AGENT_NAME": "support",
                "AGENT_NAMESPACE": "shop",
                "SUPPORT_LATENCY_MS": "0",
                **env,
            },
            stdout=self._file,
            stderr=self._file,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/tasks"

    def wait(self) -> None:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self._listens():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, "the agent does not listen"
            time.sleep(0.05)

    def stop(self) -> None:
        """SIGTERM, and wait until what it has to hand in is handed in."""
        self.process.terminate()
        self.process.wait(_DEADLINE_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(_DEADLINE_SECONDS)
        self._file.close()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


Start = Callable[..., AgentProcess]
"""An app, none for the sample agent, and variables."""


def document(number: int, **fields: Any) -> dict[str, Any]:
    """A recorded task. The one place in which the tests of replays make one."""
    return {
        "id": f"{number:032x}",
        "namespace": "shop",
        "agent": "support",
        "version": "1.0.0",
        "cohort": "stable",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:01Z",
        "outcome": "success",
        "input": {"text": f"Where is my order A-{1000 + number}?"},
        "output": {"answer": "It is shipped.", "label": "shipped", "version": "1.0.0"},
    } | fields


def written(path: Path, documents: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in documents), encoding="utf-8")
    return path
