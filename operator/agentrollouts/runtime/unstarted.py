"""Pods that have a node and no container yet: the kubelet says ``ContainerCreating``, and only events say what it waits for.

It is nearly always something that the pod mounts and that isn't there, and the kubelet would wait for it until the Job's deadline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from agentrollouts.runtime.views import Raw

PATIENCE = timedelta(minutes=1)
"""How long a container may take to be made before that is told; images are pulled in another state."""
_WAITING = ("ContainerCreating", "PodInitializing")
_NEEDS = (
    ("configMap", "name", "ConfigMap"),
    ("secret", "secretName", "Secret"),
    ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim"),
)
"""Kind of volume, its field with the name, and the kind of object."""


@dataclass(frozen=True, slots=True)
class Unstarted:
    """A pod on a node without a container. ``needs``: what has to be there for it, such as ``ConfigMap cases``."""

    name: str
    since: datetime
    needs: tuple[str, ...]

    def trouble(self, now: datetime) -> str:
        """What to tell a person, once it takes too long; the same words until it has started."""
        if now < self.since + PATIENCE:
            return ""
        needs = f"; it needs {', '.join(self.needs)}" if self.needs else ""
        return f"no container of pod {self.name} was made within a minute{needs} (kubectl describe pod {self.name})"


def unstarted(raw: Raw) -> Unstarted | None:
    """What a pod waits for, if it is one of these."""
    status = raw.get("status") or {}
    conditions: dict[object, Raw] = {item.get("type"): item for item in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled") or {}
    containers = status.get("containerStatuses") or ()
    states = [(item.get("state") or {}).get("waiting") or {} for item in containers]
    waits = bool(states) and all(state.get("reason") in _WAITING for state in states)
    if not waits or scheduled.get("status") != "True" or not scheduled.get("lastTransitionTime"):
        return None
    return Unstarted(
        name=raw["metadata"]["name"],
        since=datetime.fromisoformat(scheduled["lastTransitionTime"]),
        needs=tuple(_needs(raw)),
    )


def _needs(raw: Raw) -> Iterator[str]:
    for volume in (raw.get("spec") or {}).get("volumes") or ():
        for kind, name, words in _NEEDS:
            source = volume.get(kind)
            if source and not source.get("optional") and source.get(name):
                yield f"{words} {source[name]}"
