"""The pod of a Job that proves something: no right, no service account token, and no disk but what it reads, or is given to keep. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agentrollouts.api.proof_parts import ConfigMapKey, Resources

CONTAINER = "proof"
MOUNTS = "/etc/agent-rollouts"
KEEPS = "/var/lib/agent-rollouts"
"""Where a claim is mounted."""
SCRATCH = "/tmp"  # noqa: S108 - a path in the pod
_REQUESTS = {"cpu": "100m", "memory": "128Mi"}
_LIMITS = {"memory": "512Mi"}


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One entry of a Secret in the Rollout's namespace."""

    secret: str
    key: str
    optional: bool = False
    """Whether the pod starts without it, and the container finds no file."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the container does: ``python -m agentrollouts`` with these words, and the files it reads, by the name of their folder."""

    words: Sequence[str]
    files: Mapping[str, ConfigMapKey | SecretKey]
    image: str
    account: str | None
    resources: Resources
    scratch: str = "64Mi"
    """The most it may write."""
    claim: str = ""
    """A PersistentVolumeClaim for what the next pod goes on with, if one is lost."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """More labels of the pod."""
    pod: Mapping[str, Any] = field(default_factory=dict)
    """More of the pod's spec."""
    port: int = 0
    """Where it listens, if it does."""


def path_of(name: str, key: str) -> str:
    """Where the container finds a file."""
    return f"{MOUNTS}/{name}/{key}"


def pod_of(work: Work) -> dict[str, Any]:
    """The pod's spec."""
    container = {
        "name": CONTAINER,
        "image": work.image,
        "command": ["python", "-m", "agentrollouts"],
        "args": list(work.words),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "resources": _resources(work.resources),
        **({"ports": [{"name": "proof", "containerPort": work.port}]} if work.port else {}),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            *({"name": name, "mountPath": f"{MOUNTS}/{name}", "readOnly": True} for name in work.files),
            {"name": "tmp", "mountPath": SCRATCH},
            *([{"name": "kept", "mountPath": KEEPS}] if work.claim else []),
        ],
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": work.account is not None,
        **({"serviceAccountName": work.account} if work.account is not None else {}),
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 10,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65_532,
            "runAsGroup": 65_532,
            "fsGroup": 65_532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **work.pod,
        "containers": [container],
        "volumes": [
            *({"name": name, **_volume(source)} for name, source in work.files.items()),
            {"name": "tmp", "emptyDir": {"sizeLimit": work.scratch}},
            *([{"name": "kept", "persistentVolumeClaim": {"claimName": work.claim}}] if work.claim else []),
        ],
    }


def fraction(basis_points: int) -> str:
    """A percentage as a number from 0 to 1: 8050 is 0.805."""
    return f"{(Decimal(basis_points) / 10_000).normalize():f}"


def _volume(source: ConfigMapKey | SecretKey) -> dict[str, Any]:
    items = [{"key": source.key, "path": source.key}]
    if isinstance(source, SecretKey):
        may = {"optional": True} if source.optional else {}
        return {"secret": {"secretName": source.secret, "items": items, **may}}
    return {"configMap": {"name": source.config_map, "items": items}}


def _resources(given: Resources) -> Mapping[str, Any]:
    """What is given, and our own where nothing is said of a resource: a request beyond a limit would be refused."""
    return {
        "requests": {**_unless(_REQUESTS, given.limits), **given.requests},
        "limits": {**_unless(_LIMITS, given.requests), **given.limits},
    }


def _unless(ours: Mapping[str, str], named: Mapping[str, object]) -> Mapping[str, str]:
    return {name: amount for name, amount in ours.items() if name not in named}
