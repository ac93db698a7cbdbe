"""Which pods have a node and no container yet, and what they mount: read from what may be anybody's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from agentrollouts.core.unstarted import Unstarted
from agentrollouts.runtime.views import Raw

_WAITING = ("ContainerCreating", "PodInitializing")
_NEEDS = (
    ("configMap", "name", "ConfigMap"),
    ("secret", "secretName", "Secret"),
    ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim"),
)
"""Kind of volume, its field with the name, and the kind of object."""


def unstarted(raw: Raw, conditions: Mapping[Any, Raw], containers: Iterable[Raw]) -> Unstarted | None:
    """What a pod waits for, if it is one of these: by its conditions, by type, and the statuses of all of its containers.

    NB: a container is ``ContainerCreating`` while its image is pulled, too; by then what the pod mounts is there, and the
    kubelet says so in a condition (Kubernetes 1.29; before that nothing is told).
    """
    prepared = conditions.get("PodReadyToStartContainers") or {}
    states = [(item.get("state") or {}).get("waiting") or {} for item in containers]
    waits = bool(states) and all(state.get("reason") in _WAITING for state in states)
    if not waits or prepared.get("status") != "False" or not prepared.get("lastTransitionTime"):
        return None
    return Unstarted(
        name=raw["metadata"]["name"],
        since=datetime.fromisoformat(prepared["lastTransitionTime"]),
        needs=tuple(_needs(raw)),
    )


def _needs(raw: Raw) -> Iterator[str]:
    for volume in (raw.get("spec") or {}).get("volumes") or ():
        for kind, name, words in _NEEDS:
            source = volume.get(kind)
            if source and not source.get("optional") and source.get(name):
                yield f"{words} {source[name]}"
