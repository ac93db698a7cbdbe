"""From a Deployment and its pods to the workload that the core judges. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from agentrollouts.core.snapshot import Loaded, Workload
from agentrollouts.core.unstarted import Unstarted
from agentrollouts.runtime.children import DeploymentObject, PodObject
from agentrollouts.runtime.views import Place


def workload(
    found: DeploymentObject | None,
    pods: Iterable[PodObject],
    *,
    promised: str = "",
    reported: Mapping[Place, str] = MappingProxyType({}),
) -> Workload | None:
    """How the pods of a version are; None without a Deployment. ``reported``: by pod, the artifact digest it says it loaded.

    Numbers come from the Deployment, restarts and reasons from living pods of its present template: a pod of an older
    template says nothing about this one.
    """
    if found is None:
        return None
    ours = [
        pod
        for pod in pods
        if not pod.meta.deleting and (not found.template or pod.template == found.template)
    ]
    ready = found.ready if found.settled else min(found.ready, found.replicas)
    trouble = next((pod.trouble for pod in ours if pod.trouble), "") or found.trouble
    changes = [pod.ready_changed for pod in ours if pod.ready_changed and not pod.ready]
    since = max(changes) if changes else found.unavailable_since
    return Workload(
        desired=found.replicas,
        ready=ready,
        restarts=max((pod.restarts for pod in ours), default=0),
        last_restart=max((at for pod in ours if (at := _back_since(pod)) is not None), default=None),
        trouble=trouble,
        unready_since=since if ready == 0 and found.replicas else None,
        loaded=_loaded(ours, promised, reported),
        unstarted=min((pod.unstarted for pod in ours if pod.unstarted), key=_longest, default=None),
    )


def _longest(waiting: Unstarted) -> tuple[datetime, str]:
    return waiting.since, waiting.name


def _loaded(pods: Iterable[PodObject], promised: str, reported: Mapping[Place, str]) -> Loaded:
    said = [(pod, digest) for pod in pods if (digest := pod.refused or reported.get(pod.meta.place, ""))]
    other = [(pod.meta.place.name, digest) for pod, digest in said if digest != (pod.promised or promised)]
    return Loaded(same=len(other) < len(said), other=tuple(sorted(other)))


def _back_since(pod: PodObject) -> datetime | None:
    """When a restarted pod could serve again. An agent may need longer to start than a soak lasts, and crash right after."""
    if pod.last_restart is None or not pod.ready or pod.ready_changed is None:
        return pod.last_restart
    return max(pod.last_restart, pod.ready_changed)
