"""A release that falls over: at the start, after some seconds, or by never becoming ready. For tests of rollbacks."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import Final, Literal

EXIT_CODE = 70


@dataclass(frozen=True, slots=True)
class Crash:
    """When to fall over; `seconds` matters for `after` only."""

    when: Literal["never", "start", "after", "never-ready"] = "never"
    seconds: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Crash:
        """Read SUPPORT_CRASH: empty, `start`, `after:<seconds>` or `never-ready`. Raises ValueError otherwise."""
        match text.strip().partition(":"):
            case ("", "", ""):
                return cls()
            case ("start", "", ""):
                return cls("start")
            case ("never-ready", "", ""):
                return cls("never-ready")
            case ("after", ":", seconds) if seconds.replace(".", "", 1).isdigit():
                return cls("after", float(seconds))
        raise ValueError(f"SUPPORT_CRASH must be start, after:<seconds>, never-ready or empty; got {text!r}")


NO_CRASH: Final = Crash()


def crash_now(reason: str) -> None:
    """End the process as a fault would: at once, without the graceful stop."""
    print(f"support-agent crashes: {reason}", file=sys.stderr, flush=True)
    os._exit(EXIT_CODE)


async def crash_later(crash: Crash) -> None:
    """Wait for the hour of an `after` crash; return at once for any other."""
    if crash.when == "after":
        await asyncio.sleep(crash.seconds)
        crash_now(f"SUPPORT_CRASH=after:{crash.seconds:g}")
