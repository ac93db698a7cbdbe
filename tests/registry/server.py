"""A real registry (distribution), built on first use, with its files in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from hack.cluster import tools
from hack.cluster.settings import read_settings
from tests.kit.process import free_port

USER, PASSWORD = "ada", "s3cret"
HTPASSWD = f"{USER}:$2b$04$dqnS3CKJ2xfUnucqQlVzNugBNnFQbkkvCE/W9Aj91J1gpfccNeeYy\n"
DEADLINE = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running registry and where it keeps its blobs."""

    host: str
    storage: Path

    def reference(self, name: str) -> str:
        return f"{self.host}/{name}"

    def blob(self, digest: str) -> Path:
        hexadecimal = digest.removeprefix("sha256:")
        return self.storage / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"


def program() -> Path:
    settings = read_settings(os.environ)
    path = tools.program_path(settings, "registry")
    return (
        path if path.exists() else tools.build(settings, "registry", log=settings.logs / "build-registry.log")
    )


@contextmanager
def running(folder: Path, **configuration: Any) -> Iterator[Server]:
    """The registry with this configuration besides its address and storage."""
    port, storage = free_port(), folder / "storage"
    config = folder / "config.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "version": 0.1,
                "log": {"level": "warn"},
                "storage": {"filesystem": {"rootdirectory": str(storage)}},
                "http": {"addr": f"127.0.0.1:{port}"},
                **configuration,
            }
        )
    )
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([program(), "serve", str(config)], stdout=log, stderr=log)
        try:
            _wait(process, f"http://127.0.0.1:{port}/v2/", folder / "registry.log")
            yield Server(f"127.0.0.1:{port}", storage)
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"the registry doesn't answer: {log.read_text()}")
