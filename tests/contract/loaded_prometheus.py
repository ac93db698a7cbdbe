"""A real Prometheus over exactly known samples: written into its database before it starts, asked as of a fixed moment."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

import httpx

from agentrollouts.metrics.prometheus import PrometheusSource

START_SECONDS = 30.0


class Sample(NamedTuple):
    """One scraped sample."""

    metric: str
    labels: Mapping[str, str]
    time: float
    value: float


class AsOf(httpx.AsyncBaseTransport):
    """Adds the moment to every instant query that names none."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs((await request.aread()).decode()).items()}
        if "start" not in form:
            form.setdefault("time", f"{self._now().timestamp():.3f}")
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"content-length"]
        again = httpx.Request(
            request.method,
            request.url,
            headers=headers,
            content=urlencode(form).encode(),
            extensions=request.extensions,
        )
        return await self._inner.handle_async_request(again)

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def source_as_of(
    url: str, now: Callable[[], datetime], **options: Any
) -> AsyncIterator[PrometheusSource]:
    """A source that asks the server as of that moment."""
    async with httpx.AsyncClient(transport=AsOf(now)) as client:
        yield PrometheusSource(url, client, **options)


@contextmanager
def running_prometheus(
    folder: Path, samples: Iterable[Sample], *, config: str = "global: {}\n"
) -> Iterator[str]:
    """The URL of a server that holds these samples, and scrapes nothing unless configured to."""
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            raise RuntimeError(
                f"{program} not found: install Prometheus (Debian: apt-get install prometheus)"
            )
    text, data, file = folder / "samples.txt", folder / "data", folder / "prometheus.yml"
    text.write_text("".join(map(_line, samples)) + "# EOF\n")
    file.write_text(config)
    if text.read_text() != "# EOF\n":
        arguments = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
        subprocess.run(arguments, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = {"config.file": file, "storage.tsdb.path": data, "web.listen-address": address}
    options |= {"storage.tsdb.retention.time": "100y", "log.level": "warn"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["prometheus", *(f"--{name}={value}" for name, value in options.items())], stderr=log, stdout=log
        )
    try:
        _wait_ready(f"http://{address}/-/ready", server, folder / "log")
        yield f"http://{address}"
    finally:
        server.terminate()
        server.wait(10)


def _line(sample: Sample) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
    return f"{sample.metric}{{{labels}}} {sample.value} {sample.time:.3f}\n"


def _wait_ready(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            opener.open(url, timeout=2).close()
        except (urllib.error.URLError, OSError):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Prometheus isn't ready:\n{log.read_text()}") from None
            time.sleep(0.05)
        else:
            return
