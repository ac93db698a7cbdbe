"""A pod that has a node and no container yet. The kubelet says ``ContainerCreating``, and only events say what it waits for. Pure.

It is nearly always something that the pod mounts and that isn't there, and the kubelet waits for that without an end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

PATIENCE = timedelta(minutes=1)
"""How long that may take before it is told."""


@dataclass(frozen=True, slots=True)
class Unstarted:
    """Such a pod. ``needs``: what has to be there for it, such as ``ConfigMap cases``."""

    name: str
    since: datetime
    needs: tuple[str, ...]

    def trouble(self, now: datetime) -> str:
        """What to tell a person, once it takes too long; the same words until it has started."""
        if now < self.since + PATIENCE:
            return ""
        needs = f"; it needs {', '.join(self.needs)}" if self.needs else ""
        return f"no container of pod {self.name} was made within a minute{needs} (kubectl describe pod {self.name})"


def why_not_started(trouble: str, waiting: Unstarted | None, now: datetime) -> str:
    """The kubelet's words where it has some, or else what can be told by now of a pod that waits."""
    return trouble or (waiting.trouble(now) if waiting is not None else "")
