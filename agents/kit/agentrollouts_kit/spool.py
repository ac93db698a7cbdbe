"""Where records wait for the ledger: a folder that outlives the process, or memory where there is none.

In the folder a file is a batch of records, one a line, and complete as soon as it has its name. The processes of a pod share
the folder, so what a killed one left behind is posted by another. A file is locked while it is posted; should it be
posted twice all the same, the ledger knows the records by their ids.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

MAX_BATCH_RECORDS: Final = 100
MAX_BATCH_BYTES: Final = 1_048_576
_BLOCK: Final = 4_096
"""A file takes whole blocks of the disk, however small it is."""
_SUFFIX: Final = ".ndjson"


class Batch(Protocol):
    """Records that were taken out to be posted: then either `posted` or `keep` has to be called."""

    @property
    def lines(self) -> Sequence[bytes]:
        """The records, one line each."""

    def posted(self) -> None:
        """They are the ledger's now."""

    def keep(self) -> None:
        """They wait on."""


class Spool(Protocol):
    """Bounded in bytes. Called from two threads: one appends, another takes."""

    def append(self, lines: Sequence[bytes]) -> bool:
        """Let the records wait; False, and none of them does, when there is no room. OSError: the disk has none."""

    def oldest(self) -> Batch | None:
        """Some of those that have waited the longest; None when none can be taken now."""

    def waiting(self) -> int:
        """How many wait."""


class MemorySpool:
    """Records in memory; `max_bytes` of them."""

    def __init__(self, max_bytes: int) -> None:
        self._room = max_bytes
        self._lines: deque[bytes] = deque()
        self._lock = threading.Lock()

    def append(self, lines: Sequence[bytes]) -> bool:
        """See `Spool`."""
        size = sum(map(len, lines))
        with self._lock:
            if size > self._room:
                return False
            self._room -= size
            self._lines.extend(lines)
            return True

    def oldest(self) -> Batch | None:
        """See `Spool`."""
        with self._lock:
            lines = tuple(_first(self._lines))
        return _FromMemory(self, lines) if lines else None

    def waiting(self) -> int:
        """See `Spool`."""
        return len(self._lines)

    def forget(self, lines: Sequence[bytes]) -> None:
        """Let go of these, which are the oldest."""
        with self._lock:
            for line in lines:
                self._lines.popleft()
                self._room += len(line)


class _FromMemory:
    def __init__(self, spool: MemorySpool, lines: Sequence[bytes]) -> None:
        self._spool = spool
        self.lines = lines

    def posted(self) -> None:
        self._spool.forget(self.lines)

    def keep(self) -> None:
        """They never left."""


class DiskSpool:
    """Records in a folder, at most `max_bytes` from this process beside what it found. OSError when it can't be made, ImportError without a Unix."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        # NB: files are locked by it, so that who has none is told here and not at the first batch.
        import fcntl  # noqa: F401

        self._folder = folder
        self._max = max_bytes
        self._numbers = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)
        self._used = self._measure()
        self._lock = threading.Lock()

    def append(self, lines: Sequence[bytes]) -> bool:
        """See `Spool`."""
        content = b"".join(line + b"\n" for line in lines)
        size = _on_disk(len(content))
        with self._lock:
            if self._used + size > self._max:
                # What was posted meanwhile, by whichever process, has made room.
                self._used = self._measure()
            if self._used + size > self._max:
                return False
            self._used += size
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(self._numbers)}-{len(lines)}{_SUFFIX}"
        path = self._folder / f".{name}"
        try:
            path.write_bytes(content)
            path.rename(self._folder / name)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return True

    def oldest(self) -> Batch | None:
        """See `Spool`."""
        files: list[_Claimed] = []
        records = size = 0
        for name in self._names():
            records += _count(name)
            if files and records > MAX_BATCH_RECORDS:
                break
            if (file := _claimed(self._folder / name)) is None:
                continue
            size += len(file.content)
            if files and size > MAX_BATCH_BYTES:
                file.leave()
                break
            files.append(file)
        return _FromDisk(files) if files else None

    def waiting(self) -> int:
        """See `Spool`; 0 for a folder that can't be read."""
        try:
            return sum(map(_count, self._names()))
        except OSError:
            return 0

    def _names(self) -> list[str]:
        return sorted(name for name in os.listdir(self._folder) if _count(name))

    def _measure(self) -> int:
        used = 0
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    used += _on_disk(entry.stat().st_size)
        return used


class _Claimed:
    """An open file that no other process posts meanwhile."""

    def __init__(self, path: Path, descriptor: int, content: bytes) -> None:
        self.path = path
        self.content = content
        self._descriptor = descriptor

    def leave(self) -> None:
        os.close(self._descriptor)


class _FromDisk:
    def __init__(self, files: Sequence[_Claimed]) -> None:
        self._files = files
        self.lines = tuple(line for file in files for line in file.content.split(b"\n") if line)

    def posted(self) -> None:
        for file in self._files:
            file.path.unlink(missing_ok=True)
            file.leave()

    def keep(self) -> None:
        for file in self._files:
            file.leave()


def in_batches(lines: Sequence[bytes]) -> Iterator[tuple[bytes, ...]]:
    """The records in batches that may be posted at once."""
    left = deque(lines)
    while batch := tuple(_first(left)):
        yield batch
        for _ in batch:
            left.popleft()


def fills_a_batch(lines: Sequence[bytes]) -> bool:
    """Whether they are so many, or so much, that it isn't worth to wait for others.

    Of two batches from a folder that has enough, one always is: the second one's first file didn't fit into the first one.
    """
    return 2 * len(lines) > MAX_BATCH_RECORDS or 2 * sum(map(len, lines)) > MAX_BATCH_BYTES


def _first(lines: deque[bytes]) -> Iterator[bytes]:
    size = 0
    for number, line in enumerate(lines):
        size += len(line)
        if number == MAX_BATCH_RECORDS or (number and size > MAX_BATCH_BYTES):
            return
        yield line


def _claimed(path: Path) -> _Claimed | None:
    """The file, locked; None when another process posts it or has posted it."""
    # Imported here: it needs a Unix, the rest of the kit does not.
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        # NB: not `flock`, whose lock a forked child would hold on to with the descriptors it inherits.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with open(descriptor, "rb", closefd=False) as file:
            return _Claimed(path, descriptor, file.read())
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise


def _count(name: str) -> int:
    """How many records a file has, by its name; 0 for one that is none of ours or not complete."""
    number = name.removesuffix(_SUFFIX).rpartition("-")[2]
    return int(number) if name.endswith(_SUFFIX) and not name.startswith(".") and number.isdecimal() else 0


def _on_disk(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
