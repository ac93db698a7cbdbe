"""A ``replay`` before traffic: the Job that replays, and the two that are its lanes, as plain mappings. Pure.

A lane is the pod of a version, made for this alone and in replay mode: it has neither the version's labels nor the user's, so no Service leads
callers to it and no Deployment takes it for its own. The three find each other by pod names under a headless Service that the Rollout
has for all its replays. The lanes' Jobs are deleted once the verdict is in the status.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentrollouts.api.proof_parts import ConfigMapKey
from agentrollouts.api.replay_proof import ReplaySpec
from agentrollouts.core.manifests import (
    ARTIFACT,
    MANAGED_BY,
    Named,
    fingerprint,
    http_port,
    owner,
    pod_template,
)
from agentrollouts.core.proof_pod import KEEPS, SCRATCH, SecretKey, Work, fraction, path_of
from agentrollouts.core.proof_subject import Subject, labels_of
from agentrollouts.core.snapshot import VersionView

PORT = 8199
"""Where the replaying pod serves what the tools answered then."""
CANDIDATE, INCUMBENT, REPLAYER = "candidate", "incumbent", "replayer"
LANES = (CANDIDATE, INCUMBENT)
COMPONENT = "replay-lane"
MEETS = "agentrollouts.io/meets"
"""Label of the pods that the headless Service has names for."""
KEPT_JOURNAL = ".replay-journal"
"""How a journal's name ends that one pod leaves to the next. Only such a one is removed by the replay itself."""
_CRASHES = 6
"""Times a lane's containers may fall over before its Job gives up."""
_KEPT_SECONDS = 3600
"""How long a lane that gave up stays, for its log."""
_ENDPOINT = "embedding"
"""The folder of the endpoint's key."""
_SCRATCH = "2Gi"
"""The journal: all records that are replayed, and what both lanes made of them."""


def impossible(spec: ReplaySpec, candidate: VersionView, stable: VersionView | None, ledger_url: str) -> str:
    """Why this can't be replayed at all, with what to do; empty when it can."""
    for view in (candidate, stable):
        if view is None or view.spec is None or view.spec.template is None:
            name = "the stable version" if view is None else view.version
            return (
                f"expected an AgentVersion {name} with spec.template, from which a pod in replay mode is made; it has"
                " none: write the template there instead of a deploymentRef, or replay in CI (agentrollout replay run)"
            )
        if not http_port(view.spec):
            return f"no container in spec.template of {view.version} has a port named http"
    if spec.source.ledger is not None and not (spec.source.ledger.url or ledger_url):
        return "from.ledger.url: expected the ledger's address, because the operator has no ledger of its own"
    return ""


def lane_names(job: str) -> tuple[str, ...]:
    """Names of the Jobs that are the lanes of a replay's Job."""
    return tuple(_lane_name(job, lane) for lane in LANES)


def meeting_name(of: Named) -> str:
    """Name of the Rollout's headless Service."""
    return f"replay-{fingerprint(of.uid)}"


def meeting(of: Named) -> dict[str, Any]:
    """The headless Service under which the pods of the Rollout's replays have names, ready or not."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": meeting_name(of),
            "namespace": of.namespace,
            "labels": {
                "app.kubernetes.io/part-of": "agent-rollouts",
                "app.kubernetes.io/component": "replay",
                **MANAGED_BY,
            },
            "ownerReferences": [owner("Rollout", of)],
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {MEETS: meeting_name(of)},
            "ports": [{"name": "replay", "port": PORT, "targetPort": PORT, "protocol": "TCP"}],
        },
    }


def replay_work(job: str, spec: ReplaySpec, subject: Subject, *, image: str, seconds: int) -> Work:
    """What the replaying pod does. ``seconds``: how long it may take altogether."""
    return Work(
        words=["replay", *replay_arguments(job, spec, subject, seconds=seconds)],
        files=_files(spec),
        image=spec.image or image,
        account=spec.service_account_name,
        resources=spec.resources,
        scratch=_SCRATCH,
        claim=spec.journal.claim if spec.journal is not None else "",
        labels={MEETS: meeting_name(subject.of)},
        pod={"hostname": _host(job, REPLAYER), "subdomain": meeting_name(subject.of)},
        port=PORT,
    )


def replay_arguments(job: str, spec: ReplaySpec, subject: Subject, *, seconds: int) -> Sequence[str]:
    """The command line of a replay; it can be run by hand as it stands in the Job."""
    stable = subject.stable
    assert stable is not None
    found = [
        f"--candidate={_url(job, CANDIDATE, subject.candidate, subject, spec)}",
        f"--incumbent={_url(job, INCUMBENT, stable, subject, spec)}",
        f"--agent={subject.agent}",
        f"--namespace={subject.of.namespace}",
        f"--version={subject.candidate.version}",
        f"--artifact-digest={subject.digest}",
        f"--stable-version={stable.version}",
        f"--stable-digest={stable.digest}",
        f"--attempt={subject.attempt}",
        f"--tasks={spec.tasks}",
        f"--outcome={spec.outcome.lower()}",
        f"--maximum-disagreement={fraction(spec.maximum_disagreement)}",
        f"--maximum-noise={fraction(spec.maximum_noise)}",
        f"--compare={spec.compare.lower()}",
        f"--tools={spec.tools.lower()}",
        f"--input={spec.input}",
        f"--concurrency={spec.concurrency}",
        f"--task-timeout={spec.task_timeout.total_seconds():g}",
        f"--reached-within={seconds / 2:.0f}",
        f"--listen=0.0.0.0:{PORT}",
        f"--journal={_journal(job, spec)}",
        *_source(spec, subject),
        *_embedding(spec),
    ]
    if spec.threshold is not None:
        found.append(f"--threshold={fraction(spec.threshold)}")
    if spec.recorded_by == "Stable":
        found.append(f"--recorded-version={stable.version}")
    if spec.answer:
        found.append(f"--answer={spec.answer}")
    found.extend(f"--ignore={path}" for path in spec.ignore)
    return found


def lane_jobs(job: str, entry: str, subject: Subject, *, seconds: int) -> Sequence[dict[str, Any]]:
    """The Jobs of both lanes."""
    stable = subject.stable
    assert stable is not None
    return [
        _lane_job(job, lane, entry, view, subject, seconds=seconds)
        for lane, view in ((CANDIDATE, subject.candidate), (INCUMBENT, stable))
    ]


def _lane_job(
    job: str, lane: str, entry: str, view: VersionView, subject: Subject, *, seconds: int
) -> dict[str, Any]:
    assert view.spec is not None
    labels = labels_of(subject, entry, COMPONENT)
    namespace = subject.of.namespace
    template = pod_template(view.spec, digest=view.digest, namespace=namespace)
    # NB: none of the user's labels, by which a Service of theirs would send callers here.
    meta = {"labels": labels | {MEETS: meeting_name(subject.of)}, "annotations": _annotations(view)}
    replayer = f"http://{_host(job, REPLAYER)}.{meeting_name(subject.of)}.{namespace}.svc:{PORT}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": _lane_name(job, lane),
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [owner("Rollout", subject.of)],
        },
        "spec": {
            "backoffLimit": _CRASHES,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {
                "metadata": meta,
                "spec": template["spec"]
                | {
                    "restartPolicy": "OnFailure",
                    "hostname": _host(job, lane),
                    "subdomain": meeting_name(subject.of),
                    "containers": [_replaying(item, replayer) for item in template["spec"]["containers"]],
                },
            },
        },
    }


def _annotations(view: VersionView) -> dict[str, str]:
    """The user's, for what they have injected into pods; but nobody scrapes a lane."""
    theirs = (view.spec.template or {}).get("metadata") or {} if view.spec is not None else {}
    kept = {
        name: value
        for name, value in (theirs.get("annotations") or {}).items()
        if not name.startswith("prometheus.io/")
    }
    return kept | {ARTIFACT: view.digest}


def _replaying(item: Mapping[str, Any], replayer: str) -> dict[str, Any]:
    ours = {"AGENT_REPLAY": "1", "AGENT_REPLAY_URL": replayer, "AGENT_LEDGER_URL": ""}
    theirs = [variable for variable in item["env"] if variable.get("name") not in ours]
    return {**item, "env": [*theirs, *({"name": name, "value": value} for name, value in ours.items())]}


def _files(spec: ReplaySpec) -> dict[str, ConfigMapKey | SecretKey]:
    source, found = spec.source, dict[str, ConfigMapKey | SecretKey]()
    if source.ledger is None:
        found["tasks"] = ConfigMapKey(config_map=str(source.config_map), key=str(source.key))
    elif source.ledger.secret:
        found["token"] = SecretKey(source.ledger.secret, source.ledger.key)
    if spec.embedding is not None and spec.embedding.secret:
        found[_ENDPOINT] = SecretKey(spec.embedding.secret, spec.embedding.key)
    return found


def _source(spec: ReplaySpec, subject: Subject) -> Sequence[str]:
    ledger = spec.source.ledger
    if ledger is None:
        return [f"--from={path_of('tasks', str(spec.source.key))}"]
    words = ["--from=ledger", f"--ledger={ledger.url or subject.ledger_url}"]
    return [*words, f"--token-file={path_of('token', ledger.key)}"] if ledger.secret else words


def _embedding(spec: ReplaySpec) -> Sequence[str]:
    where = spec.embedding
    if where is None:
        return []
    words = [f"--embedding-url={where.url}", f"--embedding-model={where.model}"]
    return [*words, f"--embedding-key-file={path_of(_ENDPOINT, where.key)}"] if where.secret else words


def _journal(job: str, spec: ReplaySpec) -> str:
    """A file of this Job's own: each of its pods finds it, and no other replay of the same claim does."""
    return f"{SCRATCH}/journal" if spec.journal is None else f"{KEEPS}/{job}{KEPT_JOURNAL}"


def _url(job: str, lane: str, view: VersionView, subject: Subject, spec: ReplaySpec) -> str:
    assert view.spec is not None
    where = f"{_host(job, lane)}.{meeting_name(subject.of)}.{subject.of.namespace}.svc"
    return f"http://{where}:{http_port(view.spec)}{spec.path}"


def _host(job: str, role: str) -> str:
    """A pod's name in its replay: of this attempt, artifact and entry, as the Job's name is."""
    return f"{role}-{job.rpartition('-')[2]}"


def _lane_name(job: str, lane: str) -> str:
    stem, _, mark = job.rpartition("-")
    return f"{stem[:40].rstrip('-')}-{mark}-{lane}"
