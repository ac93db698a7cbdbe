"""Long work shown as it goes: which step of how many, for how long, and where its log is."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from hack.cluster.commands import tail_of

HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Step:
    """One idempotent piece of work; `action` writes what happens into the log file it is given."""

    title: str
    action: Callable[[Path], None]


def clock_face(seconds: float) -> str:
    """Elapsed time as `m:ss`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def log_name(number: int, title: str) -> str:
    """A log file's name: `03-build-kube-apiserver.log`."""
    words = "".join(letter if letter.isalnum() else "-" for letter in title.lower())
    short = "-".join(part for part in words.split("-") if part)[:48]
    return f"{number:02d}-{short}.log"


class _Heartbeat:
    """Says every few seconds that a step still runs: silence looks like a hang."""

    def __init__(self, say: Callable[[str], None], *, title: str, started: float) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, args=(say, title, started), daemon=True)

    def _beat(self, say: Callable[[str], None], title: str, started: float) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            say(f"        … still: {title} ({clock_face(time.monotonic() - started)})")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def run_steps(heading: str, steps: Sequence[Step], *, logs: Path, out: TextIO | None = None) -> None:
    """Run steps in order; on a failure show the end of that step's log and let the error through."""
    stream = out or sys.stdout

    def say(line: str) -> None:
        print(line, file=stream, flush=True)

    began = time.monotonic()
    say(f"{heading}: {len(steps)} step{'' if len(steps) == 1 else 's'}")
    for number, step in enumerate(steps, start=1):
        log = logs / log_name(number, f"{heading} {step.title}")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("", encoding="utf-8")
        started = time.monotonic()
        say(f"[{number:2d}/{len(steps)}] {step.title}   ({clock_face(started - began)} so far)")
        try:
            with _Heartbeat(say, title=step.title, started=started):
                step.action(log)
        except BaseException:
            say(f"        failed after {time.monotonic() - started:.1f} s; the end of {log}:")
            say(tail_of(log) or "        (the log is empty)")
            raise
        say(f"        done in {time.monotonic() - started:.1f} s")
    say(f"{heading}: done in {clock_face(time.monotonic() - began)}")
