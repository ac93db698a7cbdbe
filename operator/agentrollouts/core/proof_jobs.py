"""The Job that proves something about a candidate, as a plain mapping. Pure.

It asks the candidate's own Service, so no router and no share is needed. It gets no service account token, no right and no
disk but what it reads, and it goes with its Rollout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agentrollouts.api.before_traffic import ConfigMapKey, EvalSpec, ProofSpec, Resources
from agentrollouts.api.scalars import short_digest
from agentrollouts.core.manifests import AGENT, ARTIFACT, DIGEST, MANAGED_BY, ROLLOUT_LABEL, Named, owner
from agentrollouts.core.snapshot import VersionView

PROOF = "agentrollouts.io/proof"
"""Label: the entry's name in spec.beforeTraffic."""
ATTEMPT = "agentrollouts.io/attempt"
CONTAINER = "proof"
KEPT_SECONDS = 86_400
"""How long a Job and its log stay after its end."""
RETRIES = 2
"""Pods that are made anew where one fell over without a word, such as for want of memory; a verdict is never tried again."""
SAID = (0, 1, 2)
"""Exit statuses of a container that came to its own end: PASS, FAIL, INVALID."""
_MOUNTS = "/etc/agent-rollouts"
_REQUESTS = {"cpu": "100m", "memory": "128Mi"}
_LIMITS = {"memory": "512Mi"}


@dataclass(frozen=True, slots=True)
class Subject:
    """Who proves something to whom: the Rollout, its candidate in this attempt, and the version that serves."""

    of: Named
    agent: str
    candidate: VersionView
    digest: str
    attempt: int
    stable: VersionView | None


def proof_job(name: str, entry: ProofSpec, subject: Subject, *, image: str) -> dict[str, Any]:
    """The Job of one entry. ``image``: the command line's, where the entry names none."""
    seconds = max(1, int(entry.timeout.total_seconds()))
    labels = {
        "app.kubernetes.io/part-of": "agent-rollouts",
        "app.kubernetes.io/component": "proof",
        # NB: the same label as an agent's pods, so that the one watch of pods sees these, too; without a version they are nobody's.
        AGENT: subject.agent,
        ROLLOUT_LABEL: subject.of.name,
        PROOF: entry.name,
        **MANAGED_BY,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": subject.of.namespace,
            "labels": labels | {DIGEST: short_digest(subject.digest)},
            "annotations": {ARTIFACT: subject.digest, ATTEMPT: str(subject.attempt)},
            "ownerReferences": [owner("Rollout", subject.of)],
        },
        "spec": {
            "backoffLimit": RETRIES,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "podFailurePolicy": {"rules": _on_failure()},
            "template": {
                "metadata": {"labels": labels, "annotations": {ARTIFACT: subject.digest}},
                "spec": _pod(entry, subject, image),
            },
        },
    }


def _on_failure() -> list[Mapping[str, Any]]:
    """A verdict ends the Job at once; a pod that was evicted doesn't count."""
    said = [code for code in SAID if code]
    return [
        {"action": "FailJob", "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": said}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]


def _pod(entry: ProofSpec, subject: Subject, image: str) -> dict[str, Any]:
    spec = entry.eval
    assert spec is not None, "eval is the only kind"
    account = spec.service_account_name
    mounted = _mounted(spec)
    container = {
        "name": CONTAINER,
        "image": spec.image or image,
        "command": ["python", "-m", "agentrollouts", "eval"],
        "args": list(eval_arguments(spec, subject)),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "resources": _resources(spec.resources),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            *({"name": name, "mountPath": f"{_MOUNTS}/{name}", "readOnly": True} for name in mounted),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a path in the pod
        ],
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": account is not None,
        **({"serviceAccountName": account} if account is not None else {}),
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 10,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65_532,
            "runAsGroup": 65_532,
            "fsGroup": 65_532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            *(
                {
                    "name": name,
                    "configMap": {"name": kept.config_map, "items": [{"key": kept.key, "path": kept.key}]},
                }
                for name, kept in mounted.items()
            ),
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def _resources(given: Resources) -> Mapping[str, Any]:
    """What is given, and our own where nothing is said of a resource: a request beyond a limit would be refused."""
    return {
        "requests": {**_unless(_REQUESTS, given.limits), **given.requests},
        "limits": {**_unless(_LIMITS, given.requests), **given.limits},
    }


def _unless(ours: Mapping[str, str], named: Mapping[str, object]) -> Mapping[str, str]:
    return {name: amount for name, amount in ours.items() if name not in named}


def _mounted(spec: EvalSpec) -> Mapping[str, ConfigMapKey]:
    """Volume name to the ConfigMap's key in it."""
    found = {"dataset": spec.dataset}
    if spec.baseline is not None and spec.baseline.config_map is not None:
        found["baseline"] = ConfigMapKey(config_map=spec.baseline.config_map, key=str(spec.baseline.key))
    return found


def eval_arguments(spec: EvalSpec, subject: Subject) -> Sequence[str]:
    """The command line of an evaluation; it can be run by hand as it stands in the Job."""
    found = [
        f"--dataset={_MOUNTS}/dataset/{spec.dataset.key}",
        f"--target={_url(subject, subject.candidate, spec)}",
        f"--agent={subject.agent}",
        f"--version={subject.candidate.version}",
        f"--artifact-digest={subject.digest}",
        f"--attempt={subject.attempt}",
        f"--minimum-score={_fraction(spec.minimum_score)}",
        f"--maximum-regression={_fraction(spec.maximum_regression)}",
        f"--on-unclear={spec.on_unclear.lower()}",
        f"--repeat={spec.repeat}",
        f"--concurrency={spec.concurrency}",
        f"--task-timeout={spec.task_timeout.total_seconds():.0f}",
    ]
    if spec.answer:
        found.append(f"--answer={spec.answer}")
    found.extend(f"--scorer={name}" for name in spec.scorers)
    if spec.baseline is not None and spec.baseline.config_map is not None:
        found.append(f"--baseline={_MOUNTS}/baseline/{spec.baseline.key}")
    elif spec.baseline is not None and subject.stable is not None:
        found.append(f"--stable={_url(subject, subject.stable, spec)}")
        found.append(f"--stable-version={subject.stable.version}")
        found.append(f"--stable-digest={subject.stable.digest}")
    return found


def _url(subject: Subject, view: VersionView, spec: EvalSpec) -> str:
    return f"http://{view.service}.{subject.of.namespace}.svc{spec.path}"


def _fraction(basis_points: int) -> str:
    """A percentage as a number from 0 to 1: 8050 is 0.805."""
    return f"{(Decimal(basis_points) / 10_000).normalize():f}"
