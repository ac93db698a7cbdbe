"""Wall-clock seconds that never step back: comparable with other processes of the machine, safe to subtract."""

from __future__ import annotations

import time

_OFFSET = time.time() - time.perf_counter()


def now() -> float:
    """Seconds since the epoch."""
    return _OFFSET + time.perf_counter()
