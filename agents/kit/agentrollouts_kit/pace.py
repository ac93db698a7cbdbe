"""At most so many a minute, over any length of time."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Pace:
    """A token bucket that holds a minute's worth; `clock` in seconds. Safe from any thread."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._tokens = float(per_minute)
        self._filled = clock()
        self._lock = threading.Lock()

    def allow(self) -> bool:
        """Whether one more may go now; if so, it has."""
        with self._lock:
            now = self._clock()
            gained = (now - self._filled) / 60 * self._per_minute
            self._tokens = min(float(self._per_minute), self._tokens + gained)
            self._filled = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
