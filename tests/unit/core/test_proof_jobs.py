"""The Job of an entry, as a plain mapping."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.api.before_traffic import ProofSpec
from agentrollouts.core.manifests import AGENT, VERSION, Named
from agentrollouts.core.proof_jobs import proof_job
from agentrollouts.core.proof_pod import CONTAINER
from agentrollouts.core.proof_subject import Subject
from tests.builders import version

DATASET = {"configMap": "evals", "key": "golden.yaml"}


def made(signing: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    kind = {"eval": {"dataset": DATASET, "minimumScore": "80.5%", **fields}}
    entry = ProofSpec.model_validate({"name": "golden", "timeout": "90s", "signing": signing, **kind})
    old, new = version("1.0.0", "a"), version("2.0.0", "b")
    of = Named("shop", "support", "u-1")
    return proof_job("it", entry, Subject(of, "support", new, new.digest, 3, old), image="operator:1")


def container(job: dict[str, Any]) -> dict[str, Any]:
    (found,) = job["spec"]["template"]["spec"]["containers"]
    assert found["name"] == CONTAINER
    return dict(found)


def test_it_asks_the_candidates_own_service() -> None:
    args = container(made(path="/v1/tasks", answer="label"))["args"]
    assert "--target=http://support-2-0-0.shop.svc/v1/tasks" in args
    assert "--minimum-score=0.805" in args
    assert "--answer=label" in args
    assert "--dataset=/etc/agent-rollouts/dataset/golden.yaml" in args
    assert not [word for word in args if word.startswith(("--stable", "--baseline"))]


@pytest.mark.parametrize(
    ("baseline", "words", "volumes"),
    [
        ({"stable": True}, ["--stable=http://support-1-0-0.shop.svc/", "--stable-version=1.0.0"], ["dataset", "tmp"]),
        (
            {"configMap": "kept", "key": "b.json"},
            ["--baseline=/etc/agent-rollouts/baseline/b.json"],
            ["dataset", "baseline", "tmp"],
        ),
    ],
)  # fmt: skip
def test_what_it_is_held_against(baseline: dict[str, Any], words: list[str], volumes: list[str]) -> None:
    job = made(baseline=baseline)
    assert set(words) <= set(container(job)["args"])
    assert [volume["name"] for volume in job["spec"]["template"]["spec"]["volumes"]] == volumes


def test_the_key_it_signs_with_is_there_or_missed_by_the_job_itself() -> None:
    job = made({"secret": "support-signing"})
    assert "--signing-key=/etc/agent-rollouts/signing/release.pem" in container(job)["args"]
    assert {"name": "signing", "mountPath": "/etc/agent-rollouts/signing", "readOnly": True} in container(
        job
    )["volumeMounts"]
    (volume,) = (each for each in job["spec"]["template"]["spec"]["volumes"] if each["name"] == "signing")
    assert volume["secret"] == {
        "secretName": "support-signing",
        "items": [{"key": "release.pem", "path": "release.pem"}],
        "optional": True,
    }
    assert (
        "--signing-key=/etc/agent-rollouts/signing/evals.pem"
        in container(made({"secret": "support-signing", "key": "evals.pem"}))["args"]
    )
    assert "signing" not in str(made())


def test_it_has_no_rights_and_an_end_and_goes_with_its_rollout() -> None:
    job = made()
    pod = job["spec"]["template"]["spec"]
    assert (pod["automountServiceAccountToken"], "serviceAccountName" in pod) == (False, False)
    assert (job["spec"]["activeDeadlineSeconds"], pod["restartPolicy"]) == (90, "Never")
    assert job["metadata"]["ownerReferences"][0]["uid"] == "u-1"


@pytest.mark.parametrize(
    ("given", "requests", "limits"),
    [
        ({}, {"cpu": "100m", "memory": "128Mi"}, {"memory": "512Mi"}),
        ({"requests": {"memory": "1Gi"}}, {"cpu": "100m", "memory": "1Gi"}, {}),
        ({"limits": {"memory": "64Mi"}}, {"cpu": "100m"}, {"memory": "64Mi"}),
    ],
)
def test_its_own_resources_never_contradict_those_that_are_given(
    given: dict[str, Any], requests: dict[str, str], limits: dict[str, str]
) -> None:
    assert container(made(resources=given))["resources"] == {"requests": requests, "limits": limits}


def test_its_pods_are_no_pods_of_a_version() -> None:
    labels = made()["spec"]["template"]["metadata"]["labels"]
    assert labels[AGENT] == "support"
    assert VERSION not in labels


def test_an_image_and_an_account_of_ones_own() -> None:
    assert container(made())["image"] == "operator:1"
    job = made(
        image="example/scorers:1", serviceAccountName="scorers", resources={"limits": {"memory": "2Gi"}}
    )
    pod = job["spec"]["template"]["spec"]
    assert container(job)["image"] == "example/scorers:1"
    assert container(job)["resources"]["limits"] == {"memory": "2Gi"}
    assert (pod["automountServiceAccountToken"], pod["serviceAccountName"]) == (True, "scorers")
