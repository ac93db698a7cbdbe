"""Wires the ledger and runs it under uvicorn; what is old is removed beside the requests."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

import structlog
import uvicorn

from agentrollouts.json_logs import log_as_json
from agentrollouts.ledger.app import build
from agentrollouts.ledger.database import Database, StorageUnavailableError
from agentrollouts.ledger.retention import remove_old
from agentrollouts.ledger.service import Service
from agentrollouts.ledger.settings import Settings
from agentrollouts.ledger.store import Store
from agentrollouts.ledger.telemetry import Telemetry

CLEANING_SECONDS: Final = 60.0
log = structlog.get_logger()


def now() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1_000


def serve(settings: Settings) -> None:
    """Run until SIGTERM; requests under way are answered before."""
    log_as_json()
    database = Database(settings.database)
    telemetry = Telemetry()
    service = Service(
        Store(database, holdout=settings.holdout),
        access=settings.access,
        redaction=settings.redaction,
        telemetry=telemetry,
        clock=now,
    )

    def clean() -> None:
        removed = remove_old(database, settings.retention, now=now())
        telemetry.removed.inc(removed)
        if removed:
            log.info("removed old tasks", tasks=removed)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        with cleaning(clean):
            yield
        database.close()

    uvicorn.run(
        build(service, lifespan),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=20,
    )


@contextlib.contextmanager
def cleaning(clean: Callable[[], None], *, seconds: float = CLEANING_SECONDS) -> Iterator[None]:
    """Clean in a thread while the block runs, at once and then every so many seconds, whatever goes wrong."""
    stopping = threading.Event()

    def work() -> None:
        while True:
            try:
                clean()
            except StorageUnavailableError as error:
                log.warning("old tasks can't be removed now", error=str(error))
            except Exception:
                log.exception("old tasks can't be removed: this is a bug")
            if stopping.wait(seconds):
                return

    thread = threading.Thread(target=work, name="ledger-cleaning", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
