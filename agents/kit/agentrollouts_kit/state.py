"""The state file of one process in AGENT_STATE_DIR, and what it may read of its siblings' files.

Each process of a pod holds one numbered file by a lock that the kernel drops with the process, however it ends. A new
process takes the lowest free number, and with it the counts, the sessions and the lost tasks of the one before.
"""

from __future__ import annotations

import fcntl
import json
import logging
import mmap
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from agentrollouts_kit.cells import BLOCK, Cells
from agentrollouts_kit.identity import Identity
from agentrollouts_kit.layout import Layout
from agentrollouts_kit.vocabulary import DURATION_EDGES, EVENTS, LENGTH_EDGES, SHADOW_DROPS

logger = logging.getLogger("agentrollouts_kit")
_FORMAT: Final = 3
"""Grows with every change of the layout: the file of an older kit is set aside, never misread."""
_READY: Final = b"agentkit"
_HEADER: Final = 16_384
_MAX_PROCESSES: Final = 256


class StateFile:
    """One locked, mapped file: `_READY`, a JSON header that says what the cells mean, and the block."""

    def __init__(self, descriptor: int, path: Path, size: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._map = mmap.mmap(descriptor, size)
        self.cells = Cells(memoryview(self._map)[_HEADER:].cast("d"))

    def leave(self) -> None:
        """Let go of a file that belongs to the parent of a fork: neither unlock it nor touch its contents."""
        os.close(self._descriptor)


class StateDir:
    """The directory that outlives a container. Files written for other labels, tools, scores or topics are left alone."""

    def __init__(
        self,
        path: Path,
        *,
        identity: Identity,
        tools: tuple[str, ...],
        scores: tuple[str, ...],
        topics: tuple[str, ...] = (),
        layout: Layout,
    ) -> None:
        self._path = path
        self._layout = layout
        self._size = _HEADER + 8 * (BLOCK + layout.size)
        self._header = _describe(identity, {"tools": tools, "scores": scores, "topics": topics}, layout)

    def claim(self) -> StateFile:
        """Open the first file that no living process holds, new or left behind.

        OSError when the directory cannot be written or has no room: the whole file is allocated up front, because a
        mapping over a full disk would kill the process at some later store.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        for number in range(_MAX_PROCESSES):
            path = self._path / f"outcomes-{number}.state"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            try:
                return self._open(descriptor, path)
            except _SupersededError:
                os.close(descriptor)
                return self.claim()
            except BaseException:
                os.close(descriptor)
                raise
        raise OSError(
            f"{self._path} holds the files of {_MAX_PROCESSES} living processes: run fewer in one pod"
        )

    def siblings(self, own: Path) -> Iterator[Cells]:
        """The blocks of the other processes of this pod, living or dead, that report under the same labels."""
        for path in sorted(self._path.glob("outcomes-*.state")):
            if path != own and (cells := self._map_sibling(path)) is not None:
                yield cells

    def _open(self, descriptor: int, path: Path) -> StateFile:
        if not _is_at(path, descriptor):
            raise _SupersededError
        if os.pread(descriptor, len(_READY), 0) == _READY:
            if os.pread(descriptor, len(self._header), 0) == self._header:
                return StateFile(descriptor, path, self._size)
            _set_aside(path)
            raise _SupersededError
        os.ftruncate(descriptor, 0)
        os.posix_fallocate(descriptor, 0, self._size)
        os.pwrite(descriptor, self._header[len(_READY) :], len(_READY))
        os.pwrite(descriptor, _READY, 0)
        return StateFile(descriptor, path, self._size)

    def _map_sibling(self, path: Path) -> Cells | None:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            if os.pread(descriptor, len(self._header), 0) != self._header:
                return None
            mapped = mmap.mmap(descriptor, self._size)
        finally:
            os.close(descriptor)
        return Cells(memoryview(mapped)[_HEADER:].cast("d"), foreign=True)


class _SupersededError(Exception):
    """The file at hand was set aside: look again."""


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the path still names the open file: another process may have set it aside before we had the lock."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


def _set_aside(path: Path) -> None:
    old = path.with_name(f"{path.name}.superseded")
    logger.warning(
        "%s was written for another version, digest, list of tools, scores or topics, session limit or kit: its counts and open sessions are "
        "no longer reported; kept as %s",
        path,
        old.name,
    )
    path.rename(old)


def _describe(identity: Identity, names: Mapping[str, tuple[str, ...]], layout: Layout) -> bytes:
    meaning = {
        **names,
        "format": _FORMAT,
        "agent": identity.agent,
        "version": identity.version,
        "digest": identity.digest,
        "events": EVENTS,
        "shadow_drops": SHADOW_DROPS,
        "slots": layout.slots,
        "edges": [DURATION_EDGES, LENGTH_EDGES],
    }
    header = _READY + json.dumps(meaning, sort_keys=True).encode()
    if len(header) > _HEADER:
        raise ValueError(
            f"the names of the declared tools, scores and topics take {len(header)} bytes, at most {_HEADER} fit: shorten them"
        )
    return header.ljust(_HEADER, b" ")
