"""Statuses we wrote and haven't seen come back yet: the next tick must not act on an older view.

Only we write statuses, and a watch delivers every version in order. So from a write on, what the watch says about the
status is older than ours until it says just ours. The rest of the object is taken as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 60.0
"""Seconds after which the watch is believed again: somebody else must have written the status after all."""


@dataclass(slots=True)
class Written:
    """What was written, by object."""

    monotonic: Callable[[], float]
    _pending: dict[Hashable, tuple[str, Any, float]] = field(default_factory=dict)

    def note(self, key: Hashable, uid: str, status: object) -> None:
        """A write succeeded."""
        self._pending[key] = (uid, status, self.monotonic() + PATIENCE)

    def newest(self, key: Hashable, uid: str, heard: Any) -> Any:
        """The status to believe: the one heard, or the one written."""
        pending = self._pending.get(key)
        if pending is None:
            return heard
        owner, status, until = pending
        if owner != uid or status == heard or self.monotonic() > until:
            del self._pending[key]
            return heard
        return status

    def forget(self, key: Hashable) -> None:
        """The object is gone."""
        self._pending.pop(key, None)
