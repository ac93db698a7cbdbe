"""The Job that proves something about a candidate, as a plain mapping. Pure.

It gets no service account token, no right and no disk but what it reads, and it goes with its Rollout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agentrollouts.api.before_traffic import ProofSpec
from agentrollouts.api.scalars import short_digest
from agentrollouts.core.eval_job import eval_work
from agentrollouts.core.manifests import ARTIFACT, DIGEST, owner
from agentrollouts.core.proof_pod import CONTAINER, SecretKey, Work, path_of, pod_of
from agentrollouts.core.proof_subject import Subject, labels_of
from agentrollouts.core.replay_job import replay_work

ATTEMPT = "agentrollouts.io/attempt"
KEPT_SECONDS = 86_400
"""How long a Job and its log stay after its end."""
RETRIES = 2
"""Pods that are made anew where one fell over without a word, such as for want of memory; a verdict is never tried again."""
SAID = (0, 1, 2)
"""Exit statuses of a container that came to its own end: PASS, FAIL, INVALID."""
_KEY = "signing"
"""Folder of the key."""


def proof_job(name: str, entry: ProofSpec, subject: Subject, *, image: str) -> dict[str, Any]:
    """The Job of one entry. ``image``: the command line's, where the entry names none."""
    labels = labels_of(subject, entry.name, "proof")
    work = _signing(entry, _work(name, entry, subject, image))
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
            "activeDeadlineSeconds": entry.seconds,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "podFailurePolicy": {"rules": _on_failure()},
            "template": {
                "metadata": {"labels": {**labels, **work.labels}, "annotations": {ARTIFACT: subject.digest}},
                "spec": pod_of(work),
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


def _work(name: str, entry: ProofSpec, subject: Subject, image: str) -> Work:
    if entry.eval is not None:
        return eval_work(entry.eval, subject, image=image)
    assert entry.replay is not None, "the kinds are eval and replay"
    return replay_work(name, entry.replay, subject, image=image, seconds=entry.seconds)


def _signing(entry: ProofSpec, work: Work) -> Work:
    """The work with the key it signs with; a lane, which runs an agent's own code, is never made from it.

    Without the Secret the pod would wait until its deadline, and the reason stand in an event of the kubelet's. So it starts all the
    same, and says itself what it lacks.
    """
    if entry.signing is None:
        return work
    secret = SecretKey(entry.signing.secret, entry.signing.key, optional=True)
    words = [*work.words, f"--signing-key={path_of(_KEY, secret.key)}"]
    return replace(work, words=words, files={**work.files, _KEY: secret})
