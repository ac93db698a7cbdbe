"""Deployments, pods and Services as the operator keeps them: the few fields it goes by, read from what may be anybody's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agentrollouts.core import manifests
from agentrollouts.core.proof_pod import CONTAINER
from agentrollouts.core.unstarted import Unstarted
from agentrollouts.runtime.starting import unstarted
from agentrollouts.runtime.views import Meta, Place, Raw, meta_of


@dataclass(frozen=True, slots=True)
class DeploymentObject:
    """A Deployment with one of our labels."""

    meta: Meta
    agent: str
    version: str
    replicas: int
    ready: int
    settled: bool
    """Whether its controller has seen the latest spec, so that the numbers are about it."""
    applied: str = ""
    template: str = ""
    pods: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    trouble: str = ""
    unavailable_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How the container of a Job's pod ended. ``message`` is its termination message; ``status`` its exit status."""

    message: str
    status: int
    reason: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class PodObject:
    """A pod with our labels."""

    meta: Meta
    agent: str
    version: str
    template: str = ""
    ready: bool = False
    ready_changed: datetime | None = None
    restarts: int = 0
    last_restart: datetime | None = None
    trouble: str = ""
    promised: str = ""
    """The artifact digest its template was made for."""
    refused: str = ""
    """The artifact digest it loaded and wouldn't serve, because another one was promised."""
    job: str = ""
    """Uid of the Job it belongs to, if it belongs to one."""
    listens: str = ""
    """Host and port at which it tells how far it has come; only of a Job's pod that does."""
    ended: Ended | None = None
    """What its container said when it ended; only of a Job's pod."""
    unstarted: Unstarted | None = None
    """What it waits for on its node, if it has no container."""


@dataclass(frozen=True, slots=True)
class ServiceObject:
    """A Service with our managed-by label."""

    meta: Meta
    shape: str = ""
    """What it does with traffic, as :func:`agentrollouts.core.manifests.shape_of` tells."""
    rollout: Place | None = None
    """The Rollout it is for, if it is for one."""
    version: Place | None = None
    """The AgentVersion it is for, if it is for one."""


def deployment(raw: Raw, before: DeploymentObject | None = None) -> DeploymentObject:
    """A Deployment."""
    meta = meta_of(raw)
    labels, notes = raw["metadata"].get("labels") or {}, raw["metadata"].get("annotations") or {}
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    replicas = spec.get("replicas")
    template = ((spec.get("template") or {}).get("metadata") or {}).get("annotations") or {}
    owners = raw["metadata"].get("ownerReferences") or ()
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    available = conditions.get("Available") or {}
    return DeploymentObject(
        meta=meta,
        agent=labels.get(manifests.AGENT, ""),
        version=labels.get(manifests.VERSION, ""),
        replicas=1 if replicas is None else int(replicas),
        ready=int(status.get("readyReplicas") or 0),
        settled=int(status.get("observedGeneration") or 0) >= meta.generation,
        applied=notes.get(manifests.APPLIED, ""),
        template=template.get(manifests.TEMPLATE, ""),
        pods=(spec.get("selector") or {}).get("matchLabels") or {},
        owner=next((item["uid"] for item in owners if item.get("kind") == "AgentVersion"), ""),
        trouble=_deployment_trouble(conditions),
        unavailable_since=_time(available.get("lastTransitionTime"))
        if available.get("status") == "False"
        else None,
    )


def pod(raw: Raw, before: PodObject | None = None) -> PodObject:
    """A pod: whether it is ready, how often its containers restarted, and why it doesn't start."""
    meta = meta_of(raw)
    labels, notes = raw["metadata"].get("labels") or {}, raw["metadata"].get("annotations") or {}
    status = raw.get("status") or {}
    conditions = {item.get("type"): item for item in status.get("conditions") or ()}
    ready = conditions.get("Ready") or {}
    job = next((o["uid"] for o in raw["metadata"].get("ownerReferences") or () if o.get("kind") == "Job"), "")
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return PodObject(
        meta=meta,
        agent=labels.get(manifests.AGENT, ""),
        version=labels.get(manifests.VERSION, ""),
        template=notes.get(manifests.TEMPLATE, ""),
        ready=ready.get("status") == "True" and not meta.deleting,
        ready_changed=_time(ready.get("lastTransitionTime")),
        restarts=max((int(item.get("restartCount") or 0) for item in containers), default=0),
        last_restart=max((at for item in containers if (at := _began_again(item)) is not None), default=None),
        trouble=next((text for item in containers if (text := _container_trouble(item))), "")
        or _unscheduled(conditions),
        promised=notes.get(manifests.ARTIFACT, ""),
        refused=next((digest for item in containers if (digest := _refused(item))), ""),
        job=job,
        listens=_listens(raw) if job else "",
        ended=_ended(status) if job else None,
        unstarted=unstarted(raw, conditions, containers),
    )


def service(raw: Raw, before: ServiceObject | None = None) -> ServiceObject:
    """A Service."""
    meta = meta_of(raw)
    labels = raw["metadata"].get("labels") or {}
    name, agent = labels.get(manifests.ROLLOUT_LABEL), labels.get(manifests.AGENT)
    home = labels.get(manifests.ROLLOUT_NAMESPACE, meta.place.namespace)
    return ServiceObject(
        meta=meta,
        shape=manifests.shape_of(raw.get("spec") or {}),
        rollout=Place(home, name) if name else None,
        version=Place(meta.place.namespace, f"{agent}-{labels.get(manifests.VERSION, '')}")
        if agent
        else None,
    )


def _listens(raw: Raw) -> str:
    host = str((raw.get("status") or {}).get("podIP") or "")
    for item in (raw.get("spec") or {}).get("containers") or ():
        ports = item.get("ports") or ()
        if host and ports and item.get("name") == CONTAINER:
            return f"{f'[{host}]' if ':' in host else host}:{ports[0]['containerPort']}"
    return ""


def _ended(status: Raw) -> Ended | None:
    for item in status.get("containerStatuses") or ():
        found = (item.get("state") or {}).get("terminated")
        if item.get("name") == CONTAINER and found:
            return Ended(
                message=str(found.get("message") or ""),
                status=int(found.get("exitCode") or 0),
                reason=str(found.get("reason") or ""),
                at=_time(found.get("finishedAt")),
            )
    return None


def _began_again(item: Raw) -> datetime | None:
    """When a container that was restarted last began to run; while it waits to, when it last ended."""
    if not item.get("restartCount"):
        return None
    running = (item.get("state") or {}).get("running") or {}
    ended = (item.get("lastState") or {}).get("terminated") or {}
    return _time(running.get("startedAt")) or _time(ended.get("finishedAt"))


_MISMATCH = re.compile(r"DigestMismatch: loaded (sha256:[0-9a-f]{64}), promised sha256:[0-9a-f]{64}")


def _refused(item: Raw) -> str:
    """What a container that isn't ready said it had loaded when it last ended: the kit's words in its termination message."""
    if item.get("ready"):
        return ""
    for state in (item.get("state") or {}, item.get("lastState") or {}):
        found = _MISMATCH.match(str((state.get("terminated") or {}).get("message", "")))
        if found:
            return found[1]
    return ""


_FAULTS = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName")


def _container_trouble(item: Raw) -> str:
    waiting = (item.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    if reason not in _FAULTS and not reason.endswith("Error"):
        return ""
    last = (item.get("lastState") or {}).get("terminated") or {}
    ended = f", last exit {last.get('exitCode')} ({last.get('reason', 'unknown')})" if last else ""
    words = "" if reason == "CrashLoopBackOff" else str(waiting.get("message", ""))[:512]
    return f"{item.get('name', 'container')}: {reason}{f': {words}' if words else ''}{ended}"


def _unscheduled(conditions: Mapping[Any, Raw]) -> str:
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") != "False":
        return ""
    return f"{scheduled.get('reason', 'Unschedulable')}: {str(scheduled.get('message', ''))[:512]}"


def _deployment_trouble(conditions: Mapping[Any, Raw]) -> str:
    failure = conditions.get("ReplicaFailure") or {}
    if failure.get("status") == "True":
        return f"{failure.get('reason', 'ReplicaFailure')}: {str(failure.get('message', ''))[:512]}"
    return ""


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
