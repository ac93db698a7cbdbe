"""How fast a replay goes, known without anything that asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agentrollouts.replay.attempt import Lane
from agentrollouts.replay.errors import ReplayError

_ADDRESS = re.compile(r"(?P<host>[^:\s]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Pace:
    """How many tasks are in flight at once, how often a broken connection is tried again, and the seconds before the first time.

    Each further pause is twice as long. ``reconnects``: how often where there was no connection at all.
    """

    concurrency: int = 4
    retries: int = 4
    pause: float = 0.5
    reconnects: int = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """How the lanes are asked. ``timeout`` in seconds for each task.

    ``reached_within``: how long they may take until they answer at all, and until they know where this replay is. Not 0 where each lane is one
    pod behind a name of its own.
    """

    urls: Mapping[Lane, str]
    listen: tuple[str, int]
    field: str
    timeout: float
    pace: Pace
    reached_within: float = 0.0


def address(text: str, name: str = "--listen") -> tuple[str, int]:
    """Host and port of the option or variable ``name``. Raises ReplayError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise ReplayError(f"{name}: expected HOST:PORT, such as 0.0.0.0:8199; got {text!r}")
    return found["host"].strip("[]"), int(found["port"])


def url(text: str, option: str) -> str:
    """An address that can be asked. Raises ReplayError."""
    if not re.match(r"https?://[^/\s]+", text):
        raise ReplayError(f"{option}: expected a URL such as http://127.0.0.1:8080/v1/tasks; got {text!r}")
    return text


def at_tenths(write: Callable[[str], None], what: str = "answers") -> Callable[[int, int], None]:
    """Tells how far it has come with a line at each tenth, as a log can bear. ``what`` is counted."""
    told = -1

    def tell(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 if not total else done * 10 // total
        if tenth > told:
            told = tenth
            write(f"{done} of {total} {what}")

    return tell
