"""Posts finished tasks to the task ledger, beside the agent's work.

The agent does one bounded append. One thread writes the records and lets them wait in the spool, another posts them from
there, so that a ledger that hangs or is down delays neither the agent nor the spool. A record leaves the spool
when the ledger has it; one that finds no room, or that the ledger will never take, is dropped and counted.

While one of the two works, the agent waits for the interpreter. So both do what comes within a moment at once, in few files and few
requests, and the first one lets go of it after a few records.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from agentrollouts_kit.delivery import LedgerDownError, deliver
from agentrollouts_kit.handover import Handover
from agentrollouts_kit.identity import Identity
from agentrollouts_kit.problems import Problems
from agentrollouts_kit.records import Draft, write
from agentrollouts_kit.settings import Settings
from agentrollouts_kit.spool import (
    MAX_BATCH_RECORDS,
    DiskSpool,
    MemorySpool,
    Spool,
    fills_a_batch,
    in_batches,
)

QUEUE: Final = 256
"""Finished tasks whose records are not yet written."""
WRITE_SECONDS: Final = 0.02
"""How long a finished task waits for others that are written with it: what a process that is killed loses."""
POST_SECONDS: Final = 0.25
"""How long a written record waits for others that are posted with it."""
_STRETCH_SECONDS, _BREATH_SECONDS = 0.0002, 0.00005
"""How long records are written before others get the interpreter, and the sleep for that: without one it is taken back at once."""
DISK_BYTES: Final = 64 * 1024 * 1024
MEMORY_BYTES: Final = 16 * 1024 * 1024
FLUSH_SECONDS: Final = 5.0
"""How long a process that stops goes on posting at most."""
_FIRST_PAUSE, _LONGEST_PAUSE, _MOST_DOUBLINGS = 0.5, 60.0, 16

Drop = Literal["queue", "spool", "refused", "failed"]
DROPS: Final[tuple[Drop, ...]] = ("queue", "spool", "refused", "failed")
"""Why a record is dropped: written too slowly, no room to wait in, refused by the ledger, could not be written."""


class Posted(NamedTuple):
    """What became of the records of this process. `spooled` wait now, those that other processes left included."""

    posted: int
    cut: int
    dropped: dict[Drop, int]
    spooled: int


class Posting:
    """One per process; its threads begin with the first record, or with `start` when some were left behind."""

    def __init__(self, settings: Settings, identity: Identity, problems: Problems) -> None:
        self.enabled = bool(settings.ledger_url)
        self._settings = settings
        self._identity = identity
        self._problems = problems
        self._handover: Handover[Draft] = Handover(QUEUE, rest_seconds=WRITE_SECONDS)
        self._counts: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._spools: tuple[Spool, ...] = ()
        self._threads: list[threading.Thread] = []
        self._opened, self._news, self._hurry, self._stopping = (threading.Event() for _ in range(4))

    def put(self, draft: Draft) -> None:
        """Post this record some time. Never waits and never raises."""
        if self._stopping.is_set() or not self._handover.put(draft):
            self._count("queue")
        elif not self._threads:
            self.start()

    def start(self) -> None:
        """Begin to post what an earlier process left behind; again is harmless."""
        if self._threads or not self.enabled or self._stopping.is_set():
            return
        with self._lock:
            if not self._threads:
                self._threads = [
                    threading.Thread(target=target, name=f"agent-ledger-{name}", daemon=True)
                    for name, target in (("spool", self._spool), ("post", self._post))
                ]
                for thread in self._threads:
                    thread.start()

    def counts(self) -> Posted:
        """What became of the records so far."""
        with self._lock:
            counts = self._counts.copy()
        return Posted(
            posted=counts["posted"],
            cut=counts["cut"],
            dropped={reason: counts[reason] for reason in DROPS},
            spooled=len(self._handover) + sum(spool.waiting() for spool in self._spools),
        )

    def flush_steps(self, seconds: float) -> Generator[None, None, None]:
        """Yields whenever it wants to be resumed a little later, until everything is posted or the time is over."""
        if not self._threads:
            return
        self._handover.hurry()
        self._hurry.set()
        end = time.monotonic() + seconds
        while self.counts().spooled and time.monotonic() < end:
            yield

    def stop(self) -> None:
        """Post nothing any more; what waits on the disk stays there."""
        self._stopping.set()
        self._news.set()
        self._hurry.set()
        self._handover.close()

    def _open(self) -> Iterator[Spool]:
        if self._settings.state_dir:
            folder = Path(self._settings.state_dir) / "ledger-spool"
            try:
                yield DiskSpool(folder, DISK_BYTES)
            except (OSError, ImportError) as error:
                self._note_disk(error)
        yield MemorySpool(MEMORY_BYTES)

    def _spool(self) -> None:
        """The first thread: from the queue to the spool."""
        self._spools = tuple(self._open())
        self._opened.set()
        while self._handover.wait():
            drafts = self._handover.oldest(MAX_BATCH_RECORDS)
            for batch in in_batches(self._lines(drafts)):
                if not self._appended(batch):
                    self._count("spool", len(batch))
            self._handover.done(len(drafts))
            self._news.set()

    def _lines(self, drafts: Sequence[Draft]) -> list[bytes]:
        lines: list[bytes] = []
        began = time.perf_counter()
        for draft in drafts:
            lines += self._written(draft)
            if time.perf_counter() - began > _STRETCH_SECONDS and not self._handover.hurried:
                time.sleep(_BREATH_SECONDS)
                began = time.perf_counter()
        return lines

    def _written(self, draft: Draft) -> Iterator[bytes]:
        try:
            line, cut = write(draft, self._identity)
        except Exception as error:  # noqa: BLE001 - the thread has to live on
            self._problems.note(
                "record", "a task could not be written for the ledger: this is a bug", error=error
            )
            self._count("failed")
            return
        if cut:
            self._count("cut")
        yield line

    def _appended(self, lines: Sequence[bytes]) -> bool:
        for spool in self._spools:
            try:
                if spool.append(lines):
                    return True
            except OSError as error:
                self._note_disk(error)
        return False

    def _post(self) -> None:
        """The second thread: from the spool to the ledger."""
        self._opened.wait()
        failures, pause = 0, POST_SECONDS
        while True:
            self._hurry.wait(pause)
            if self._stopping.is_set():
                return
            if failures:
                self._hurry.clear()
            try:
                posted = self._post_oldest()
                if not posted:
                    self._news.wait(_LONGEST_PAUSE)
                    self._news.clear()
                failures, pause = 0, 0.0 if fills_a_batch(posted) else POST_SECONDS
            except Exception as error:  # noqa: BLE001 - the thread has to live on
                told = error if isinstance(error, LedgerDownError) else None
                self._problems.note(
                    "ledger", "tasks wait for the ledger: %s", error, error=None if told else error
                )
                failures = min(failures + 1, _MOST_DOUBLINGS)
                pause = _pause(failures, told.retry_seconds if told else 0.0)

    def _post_oldest(self) -> Sequence[bytes]:
        """The records that were posted, or refused; none where none can be taken now."""
        for spool in self._spools:
            try:
                batch = spool.oldest()
            except OSError as error:
                self._note_disk(error)
                continue
            if batch is None:
                continue
            try:
                delivery = deliver(self._settings.ledger_url, self._settings.ledger_token_file, batch.lines)
            except BaseException:
                batch.keep()
                raise
            for reason in delivery.refused:
                self._problems.note(
                    "refused record", "the task ledger refused a task, which is dropped: %s", reason
                )
            self._count("refused", len(delivery.refused))
            self._count("posted", delivery.posted)
            batch.posted()
            return batch.lines
        return ()

    def _count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self._counts[what] += number

    def _note_disk(self, error: Exception) -> None:
        self._problems.note(
            "spool",
            "AGENT_STATE_DIR=%s can't hold records for the ledger: they wait in memory; give it room",
            self._settings.state_dir,
            error=error,
        )


def _pause(failures: int, retry_seconds: float) -> float:
    """Twice as long each time, and never the same for all: those who wait must not come back at once."""
    pause: float = max(_FIRST_PAUSE * 2 ** (failures - 1), retry_seconds)
    return min(pause, _LONGEST_PAUSE) * (0.5 + random.random() / 2)  # noqa: S311 - no secret
