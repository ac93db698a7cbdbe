"""A real agent process under uvicorn, to be killed and started again."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from agentrollouts_kit.server import SCRAPER_HEADER
from tests.kit.reading import Reading

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class AgentProcess:
    """One pod: the directory and the ports stay, the process comes and goes."""

    def __init__(self, directory: Path) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self._log = (directory / "agent.log").open("ab")
        self._env = os.environ | {
            "AGENT_NAME": "support",
            "AGENT_VERSION": "2.0.0",
            "AGENT_RELEASE_DIGEST": "sha256:" + "ab" * 32,
            "AGENT_STATE_DIR": str(directory / "state"),
            "AGENT_METRICS_PORT": str(self.metrics_port),
            "AGENT_DRAIN_SECONDS": "30",
            "POD_NAME": "support-0",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "uvicorn", "tests.kit.agent_app:app", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--log-level", "warning"], cwd=ROOT, env=self._env, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._listens():
            assert self._process.poll() is None, "the agent ended while it started; see agent.log"
            assert time.monotonic() < deadline, "the agent does not listen"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(DEADLINE_SECONDS)

    def stop_while_scraped(self) -> Reading:
        """SIGTERM, with a scraper that comes by again and again as Prometheus does; the last answer it got."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        last = None
        while self._process.poll() is None:
            try:
                last = self.scrape()
            except (urllib.error.URLError, ConnectionError, http.client.IncompleteRead):
                # The process waits for one whole scrape after its last change; a later one may be cut off by its end.
                time.sleep(0.01)
        assert last is not None, "the agent ended before it could be scraped"
        return last

    def scrape(self) -> Reading:
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        request = urllib.request.Request(url, headers={SCRAPER_HEADER: "10"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return Reading(answer.read().decode())

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._log.close()

    def _listens(self) -> bool:
        for port in (self.port, self.metrics_port):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)):
                    return False
        return True
