"""The Job before traffic against a real API server: it is admitted as it stands, its pod even where the strictest standard is enforced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agentrollouts.api.before_traffic import ProofSpec
from agentrollouts.core.manifests import Named
from agentrollouts.core.proof_jobs import proof_job
from agentrollouts.core.proof_subject import Subject
from agentrollouts.core.replay_job import lane_jobs, meeting
from agentrollouts.core.snapshot import VersionView
from agentrollouts.kube.client import KubeCluster
from agentrollouts.ports import ConflictError, GoneError, Reference
from hack.apiserver import ApiServer
from tests.integration.api import MERGE, Api, Object
from tests.unit.core.replayed import with_template

STABLE, KEPT = {"stable": True}, {"configMap": "evals", "key": "baseline.json"}


@pytest_asyncio.fixture
async def cluster(apiserver: ApiServer) -> AsyncIterator[KubeCluster]:
    made = await KubeCluster.open(Path(apiserver.kubeconfig))
    yield made
    await made.close()


def job(namespace: str, uid: str = "u-1", **fields: Any) -> Object:
    dataset = {"configMap": "evals", "key": "golden.yaml"}
    signing = {"secret": "support-signing"}
    entry = ProofSpec.model_validate(
        {"name": "golden", "signing": signing, "eval": {"dataset": dataset, "minimumScore": "80%", **fields}}
    )
    old, new = (
        VersionView(v, f"sha256:{v[0] * 64}", 1, f"support-{v.replace('.', '-')}") for v in ("1.0.0", "2.0.0")
    )
    subject = Subject(Named(namespace, "support", uid), "support", new, new.digest, 1, old)
    return proof_job("support-golden-0123456789", entry, subject, image="agent-rollouts/operator:dev")


def strict(admin: Api, namespace: str) -> None:
    """Pods that aren't restricted are refused there."""
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    admin.request("PATCH", f"/api/v1/namespaces/{namespace}", label, content_type=MERGE)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"baseline": STABLE, "repeat": 3, "answer": "label"},
        {"baseline": KEPT, "serviceAccountName": "scorers"},
        {"resources": {"requests": {"cpu": 1}, "limits": {"memory": "2Gi"}}, "image": "example/scorers:1"},
    ],
)  # fmt: skip
def test_it_is_admitted_and_so_is_its_pod(admin: Api, namespace: str, fields: dict[str, Any]) -> None:
    strict(admin, namespace)
    body = job(namespace, **fields)
    stored = admin.request(
        "POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", body, query={"dryRun": "All"}
    )
    assert stored["spec"]["podFailurePolicy"]["rules"][0]["action"] == "FailJob"
    pod = {"apiVersion": "v1", "kind": "Pod", **body["spec"]["template"]}
    pod["metadata"] = {**pod["metadata"], "name": "golden"}
    path = f"/api/v1/namespaces/{namespace}/pods"
    found = admin.request("POST", path, pod, query={"dryRun": "All"})
    account = (found["spec"].get("serviceAccountName"), found["spec"]["automountServiceAccountToken"])
    assert account == (("scorers", True) if "serviceAccountName" in fields else (None, False))


def test_what_a_replay_needs_is_admitted(admin: Api, namespace: str) -> None:
    strict(admin, namespace)
    dataset = {"from": {"ledger": {"url": "http://ledger:8090", "secret": "support-reader"}}}
    embedding = {"url": "http://llm:8000/v1", "model": "small-embedding", "secret": "embeddings"}
    kept = {"journal": {"claim": "replays"}, "compare": "Embedding", "embedding": embedding}
    entry = ProofSpec.model_validate({"name": "replayed", "replay": dataset | kept})
    old, new = with_template("1.0.0", "a"), with_template("2.0.0", "b")
    subject = Subject(Named(namespace, "support", "u-1"), "support", new, new.digest, 1, old)
    name = f"{'support-replayed'.ljust(52, 'x')}-0123456789"
    service = admin.request(
        "POST", f"/api/v1/namespaces/{namespace}/services", meeting(subject.of), query={"dryRun": "All"}
    )
    assert service["spec"]["clusterIP"] == "None"
    lanes = lane_jobs(name, "replayed", subject, seconds=60)
    for body in (proof_job(name, entry, subject, image="agent-rollouts/cli:dev"), *lanes):
        stored = admin.request(
            "POST", f"/apis/batch/v1/namespaces/{namespace}/jobs", body, query={"dryRun": "All"}
        )
        if body["metadata"]["name"] == name:
            # The next pod comes when the last one is over: two at one journal would tear it.
            assert stored["spec"]["podReplacementPolicy"] == "Failed"
        pod = {"apiVersion": "v1", "kind": "Pod", **body["spec"]["template"]}
        pod["metadata"] = {**pod["metadata"], "name": "it"}
        if body["metadata"]["name"] == name:
            found = admin.request(
                "POST", f"/api/v1/namespaces/{namespace}/pods", pod, query={"dryRun": "All"}
            )
            assert found["spec"]["subdomain"] == service["metadata"]["name"]


@pytest.mark.asyncio
async def test_one_name_is_one_job_and_it_can_be_deleted(
    cluster: KubeCluster, admin: Api, namespace: str
) -> None:
    body = job(namespace)
    await cluster.create(body)
    with pytest.raises(ConflictError):
        await cluster.create(body)
    (listed,) = await cluster.list_objects(
        "batch/v1", "Job", namespace=namespace, selector="agentrollouts.io/proof"
    )
    assert listed["metadata"]["name"] == body["metadata"]["name"]
    this = Reference("batch/v1", "Job", namespace, body["metadata"]["name"])
    await cluster.delete(this)
    with pytest.raises(GoneError):
        await cluster.delete(this)
