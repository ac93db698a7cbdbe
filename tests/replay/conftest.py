"""Agents in replay mode, and where their replayer listens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replay.lanes import AgentProcess, Start, free_port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Start]:
    """Agents, by default in replay mode."""
    started: list[AgentProcess] = []

    def _start(app: str = "", **env: str) -> AgentProcess:
        replaying = {"AGENT_REPLAY": "1", "AGENT_REPLAY_URL": f"http://127.0.0.1:{port}"}
        started.append(AgentProcess(tmp_path, app, **(replaying | env)))
        return started[-1]

    yield _start
    for process in started:
        process.close()
