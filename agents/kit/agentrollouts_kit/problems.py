"""Troubles of reporting itself. They never reach the agent's code, so they are logged and counted."""

from __future__ import annotations

import logging
import threading
from collections import Counter

logger = logging.getLogger("agentrollouts_kit")


class Problems:
    """Logs a problem of each kind at its 1st, 10th, 100th … time, and counts all of them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.RLock()

    @property
    def total(self) -> int:
        """All problems of this process; exported as `agent_reporting_problems_total`."""
        return self._counts.total()

    def note(self, kind: str, message: str, *arguments: object, error: BaseException | None = None) -> None:
        """Count a problem; `kind` is a constant, `message` what was expected, what was seen and what to do."""
        with self._lock:
            self._counts[kind] += 1
            count = self._counts[kind]
        if str(count).strip("0") == "1":
            logger.warning("%s (%d so far)", message % arguments, count, exc_info=error)
