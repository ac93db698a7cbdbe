"""The journal of a replay: what was chosen and what is finished, a line of JSON each, so that a replay that was killed goes on.

A finished task is on the disk before the next one of its slot begins. A line that was torn by the end of the process is left out; what it told
of is done again. A journal whose first line was torn has nothing yet, and is begun again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic import ValidationError

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.attempt import Attempt, Lane
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.plan import Plan

FORM = "agentrollouts.io/replay-journal/v1"
_START = f'{{"journal":"{FORM}"'.encode()


@dataclass(slots=True)
class Kept:
    """What a journal holds."""

    about: Mapping[str, str] = field(default_factory=dict)
    tasks: list[TaskRecord] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    """How many records couldn't be chosen, by reason."""
    chosen: int = 0
    """How many tasks were asked for when they were chosen; there may have been fewer."""
    done: dict[tuple[str, Lane], Attempt] = field(default_factory=dict)


class Journal:
    """An open journal. ``about`` says whose replay it is; a journal of another one is refused."""

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        """Open or begin it.

        Raises:
            ReplayError: it can't be written, is no journal, or is of another replay.
        """
        self.path = path
        self.kept = kept(path)
        if self.kept.about and self.kept.about != dict(about):
            raise ReplayError(
                f"{path} is the journal of another replay, {_words(self.kept.about)}; this one is {_words(about)}. "
                "Remove it, or name another one with --journal"
            )
        self._file = self._opened()
        if not self.kept.about:
            self._write({"journal": FORM, "about": dict(about)})
            self.kept.about = dict(about)

    def choose(self, plan: Plan, count: int) -> None:
        """Keep tasks that are to be done, those it has are left alone, and how many others can't be. ``count``: how many were asked for.

        NB: that comes last, for without it the choice was torn.
        """
        self._write({"leftOut": dict(plan.left_out)}, sync=False)
        self.kept.left_out = dict(plan.left_out)
        known = {record.id for record in self.kept.tasks}
        for record in plan.tasks:
            if record.id not in known:
                self._write({"task": record.model_dump(mode="json", by_alias=True)}, sync=False)
                self.kept.tasks.append(record)
        self._write({"chosen": count})
        self.kept.chosen = count

    def finish(self, attempt: Attempt) -> None:
        """Keep what a lane made of a task."""
        self._write({"done": attempt.model_dump(mode="json", by_alias=True)})
        self.kept.done[attempt.task, attempt.lane] = attempt

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # NB: what counts is on the disk by now; a full one would be told a second time, in the place of the first.
        with suppress(OSError):
            self._file.close()

    def _opened(self) -> IO[bytes]:
        try:
            file = self.path.open("ab")
            # NB: a torn last line would take the next one with it.
            if self.path.stat().st_size and not self.path.read_bytes().endswith(b"\n"):
                file.write(b"\n")
            self.path.chmod(0o600)
        except OSError as error:
            raise ReplayError(f"can't write the journal {self.path}: {error.strerror}") from error
        return file

    def _write(self, line: Mapping[str, Any], *, sync: bool = True) -> None:
        with self._on_the_disk():
            self._file.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
        if sync:
            self._sync()

    def _sync(self) -> None:
        with self._on_the_disk():
            self._file.flush()
            os.fsync(self._file.fileno())

    @contextmanager
    def _on_the_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ReplayError(f"can't write the journal {self.path}: {error.strerror}") from error


def vectors_beside(path: Path) -> Path:
    """Where a journal's embeddings are."""
    return path.with_name(f"{path.name}.vectors")


def kept(path: Path) -> Kept:
    """What is in a journal; nothing where there is no file.

    Raises:
        ReplayError: it can't be read, or it is no journal.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return Kept()
    except OSError as error:
        raise ReplayError(f"can't read the journal {path}: {error.strerror}") from error
    found = Kept()
    for line in filter(None, lines):
        _read(line, found, path)
    if any(lines) and not found.about and not _is_torn_start(lines):
        raise ReplayError(
            f"expected a journal of a replay in {path}; it is something else: name another file"
        )
    return found


def _read(line: bytes, found: Kept, path: Path) -> None:
    try:
        value = json.loads(line)
    except ValueError:
        return
    try:
        match value:
            case {"journal": str(form), "about": dict(about)} if form == FORM:
                found.about = about
            case {"leftOut": dict(left_out)}:
                found.left_out = left_out
            case {"chosen": int(chosen)}:
                found.chosen = chosen
            case {"task": task}:
                found.tasks.append(TaskRecord.model_validate(task))
            case {"done": done}:
                attempt = Attempt.model_validate(done)
                found.done[attempt.task, attempt.lane] = attempt
    except ValidationError as error:
        raise ReplayError(
            f"the journal {path} can't be read by this version: {error.errors()[0]['msg']}; begin anew with another one"
        ) from error


def _is_torn_start(lines: Sequence[bytes]) -> bool:
    """Whether this is what may be left of the first line by whatever ended the process, or the machine, that wrote it."""
    torn = lines[0].rstrip(b"\0")
    return not any(lines[1:]) and (torn.startswith(_START) or _START.startswith(torn))


def _words(about: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in about.items())
