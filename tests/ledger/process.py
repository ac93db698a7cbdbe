"""A real ledger process, to be killed and started again."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_DEADLINE_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LedgerProcess:
    """One ledger: its database and its port stay, the process comes and goes."""

    def __init__(self, folder: Path, *options: str, database: str = "") -> None:
        self.port = free_port()
        self.database = database or f"sqlite:///{folder}/ledger.db"
        self._options = options or ("--insecure",)
        self._log = (folder / "ledger.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def runs(self) -> bool:
        return self._process is not None

    def limit_files(self, size: int) -> None:
        """No file may grow beyond this size any more, as if the disk was full."""
        assert self._process is not None
        _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "agentrollouts.ledger",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        self._process = subprocess.Popen(
            [*command, *self._options],
            cwd=ROOT,
            env=os.environ | {"AGENT_ROLLOUTS_LEDGER_DATABASE_URL": self.database},
            stdout=self._log,
            stderr=self._log,
        )
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self._listens():
            assert self._process.poll() is None, "the ledger ended while it started; see ledger.log"
            assert time.monotonic() < deadline, "the ledger does not listen"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(_DEADLINE_SECONDS)
        self._process = None

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        self._process.terminate()
        status = self._process.wait(_DEADLINE_SECONDS)
        self._process = None
        return status

    def close(self) -> None:
        if self._process is not None:
            self.kill()
        self._log.close()

    def tasks(self) -> list[dict[str, Any]]:
        """Every task, over all pages."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.get(f"/v1/tasks?limit=200{cursor}")
            found += page["tasks"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.loads(answer.read())

    def post(
        self, path: str, items: Sequence[Any], headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, Any]:
        """Status, headers and answer of a JSON array."""
        body = json.dumps(items).encode()
        request = urllib.request.Request(self.url + path, body, dict(headers or {}), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, json.loads(error.read())

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
