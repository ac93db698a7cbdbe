"""A replay before traffic: its Job, and the pods of both versions that are made for it and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentrollouts.api.before_traffic import ProofSpec
from agentrollouts.core.manifests import VERSION, Named, selector
from agentrollouts.core.proof_jobs import proof_job
from agentrollouts.core.proof_subject import Subject
from agentrollouts.core.replay_job import impossible, lane_jobs, lane_names, meeting
from agentrollouts.core.snapshot import VersionView
from agentrollouts.proving import STATUS, STOPPED
from tests.builders import version
from tests.unit.core.replayed import entry, with_template

JOB = "support-replayed-0123456789"
OLD, NEW = with_template("1.0.0", "a"), with_template("2.0.0", "b")
LEDGER = {"ledger": {"secret": "support-reader"}}


def subject(**fields: Any) -> Subject:
    of = Named("shop", "support", "u-1")
    return Subject(of, "support", NEW, NEW.digest, 3, OLD, **fields)


def made(**fields: Any) -> dict[str, Any]:
    spec = ProofSpec.model_validate(entry(**fields))
    return proof_job(JOB, spec, subject(ledger_url="http://ledger:8090"), image="cli:1")


def lanes() -> list[dict[str, Any]]:
    return list(lane_jobs(JOB, "replayed", subject(), seconds=600))


def pod(job: dict[str, Any]) -> dict[str, Any]:
    return dict(job["spec"]["template"]["spec"])


def variables(job: dict[str, Any]) -> dict[str, str]:
    (container,) = pod(job)["containers"]
    names = [item["name"] for item in container["env"]]
    assert len(names) == len(set(names)), "a name that is there twice has the last value"
    return {item["name"]: item.get("value", "") for item in container["env"]}


def test_no_service_and_no_deployment_takes_a_lane_for_its_own() -> None:
    assert NEW.spec is not None
    for job in lanes():
        labels = job["spec"]["template"]["metadata"]["labels"]
        assert VERSION not in labels
        assert not selector(NEW.spec).items() <= labels.items()
        assert "app" not in labels, "a label of the user's, by which a Service of theirs may go"


def test_a_lane_is_the_versions_pod_in_replay_mode() -> None:
    for job, view in zip(lanes(), (NEW, OLD), strict=True):
        found = pod(job)
        assert found["containers"][0]["image"] == f"shop/support:{view.version}"
        assert (found["serviceAccountName"], found["restartPolicy"]) == ("support", "OnFailure")
        env = variables(job)
        assert (env["SHOP"], env["AGENT_VERSION"]) == ("berlin", view.version)
        assert (env["AGENT_REPLAY"], env["AGENT_LEDGER_URL"]) == ("1", "")
        notes = job["spec"]["template"]["metadata"]["annotations"]
        assert notes["sidecar/inject"] == "true"
        assert "prometheus.io/scrape" not in notes


def test_the_three_find_each_other_under_the_rollouts_headless_service() -> None:
    job, service = made(), meeting(subject().of)
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    for each in (job, *lanes()):
        assert service["spec"]["selector"].items() <= each["spec"]["template"]["metadata"]["labels"].items()
        assert pod(each)["subdomain"] == service["metadata"]["name"]
    domain = f"{service['metadata']['name']}.shop.svc"
    args = pod(job)["containers"][0]["args"]
    for name, lane in zip(("candidate", "incumbent"), lanes(), strict=True):
        assert f"--{name}=http://{pod(lane)['hostname']}.{domain}:8080/v1/tasks" in args
        assert variables(lane)["AGENT_REPLAY_URL"] == f"http://{pod(job)['hostname']}.{domain}:8199"


def test_all_names_are_labels_and_those_of_another_job_are_others() -> None:
    long = f"{'a' * 52}-0123456789"
    for name in (*lane_names(long), meeting(Named("n" * 63, "r" * 63, "u" * 36))["metadata"]["name"]):
        assert len(name) <= 63
        assert name.strip("-") == name
    assert not set(lane_names(long)) & set(lane_names(f"{'a' * 52}-1123456789"))


@pytest.mark.parametrize(
    ("source", "words", "volumes"),
    [
        ({}, ["--from=/etc/agent-rollouts/tasks/tasks.jsonl"], {"tasks": "configMap"}),
        (
            LEDGER,
            ["--from=ledger", "--ledger=http://ledger:8090", "--token-file=/etc/agent-rollouts/token/reader"],
            {"token": "secret"},
        ),
        ({"ledger": {"url": "http://mine:1"}}, ["--from=ledger", "--ledger=http://mine:1"], {}),
    ],
)
def test_where_the_tasks_come_from(source: dict[str, Any], words: list[str], volumes: dict[str, str]) -> None:
    job = made(**({"from": source} if source else {}))
    assert set(words) <= set(pod(job)["containers"][0]["args"])
    found = {item["name"]: next(key for key in item if key != "name") for item in pod(job)["volumes"]}
    assert found == {**volumes, "tmp": "emptyDir"}


def test_what_is_asked_for_is_told_in_fractions_and_small_letters() -> None:
    args = pod(
        made(maximumDisagreement="2.5%", outcome="Success", recordedBy="Stable", tools="All", ignore=["a.0"])
    )["containers"][0]["args"]
    assert {
        "--maximum-disagreement=0.025", "--outcome=success", "--recorded-version=1.0.0", "--tools=all", "--ignore=a.0",
        "--reached-within=300",
    } <= set(args)  # fmt: skip
    assert not [
        word for word in pod(made())["containers"][0]["args"] if word.startswith("--recorded-version")
    ]


def test_what_is_finished_is_kept_in_a_claim_under_the_jobs_own_name() -> None:
    """So that each of its pods finds it, and no other Job's does."""
    job = made(journal={"claim": "replays"})
    (container,) = pod(job)["containers"]
    assert f"--journal=/var/lib/agent-rollouts/{JOB}.replay-journal" in container["args"]
    assert {"name": "kept", "mountPath": "/var/lib/agent-rollouts"} in container["volumeMounts"]
    assert {"name": "kept", "persistentVolumeClaim": {"claimName": "replays"}} in pod(job)["volumes"]
    assert "--journal=/tmp/journal" in pod(made())["containers"][0]["args"]
    assert not [volume for volume in pod(made())["volumes"] if "persistentVolumeClaim" in volume]


def test_a_pod_that_has_to_go_is_no_verdict_and_the_next_one_comes_when_it_is_over() -> None:
    """With a policy of failures a Job waits for the old pod's end: two at one journal would tear it."""
    rules = made()["spec"]["podFailurePolicy"]["rules"]
    (said,) = [rule["onExitCodes"]["values"] for rule in rules if rule["action"] == "FailJob"]
    assert STOPPED not in said
    assert set(STATUS.values()) - {0} == set(said)


@pytest.mark.parametrize(("secret", "volume"), [({"secret": "llm", "key": "token"}, True), ({}, False)])
def test_whose_embeddings_answers_are_compared_by(secret: dict[str, str], volume: bool) -> None:
    job = made(
        compare="Embedding", embedding={"url": "http://llm:8000/v1", "model": "small-embedding", **secret}
    )
    args = pod(job)["containers"][0]["args"]
    assert {
        "--compare=embedding", "--embedding-url=http://llm:8000/v1", "--embedding-model=small-embedding",
    } <= set(args)  # fmt: skip
    assert not [word for word in args if word.startswith("--threshold")], (
        "which one is usual, the replay knows"
    )
    assert ("--embedding-key-file=/etc/agent-rollouts/embedding/token" in args) is volume
    source = {"secretName": "llm", "items": [{"key": "token", "path": "token"}]}
    assert ({"name": "embedding", "secret": source} in pod(job)["volumes"]) is volume
    assert "--threshold=0.925" in pod(made(compare="Text", threshold="92.5%"))["containers"][0]["args"]
    assert not [word for word in pod(made())["containers"][0]["args"] if word.startswith("--embedding")]


def _portless() -> VersionView:
    containers = [{"name": "agent", "image": "shop/support:2"}]
    return with_template("2.0.0", "b", template={"spec": {"containers": containers}})


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: version("2.0.0", "b"), "an AgentVersion 2.0.0 with spec.template"),
        (_portless, "no container in spec.template of 2.0.0 has a port named http"),
    ],
)
def test_what_has_no_pod_to_be_made_from_cant_be_replayed(make: Callable[[], VersionView], told: str) -> None:
    spec = ProofSpec.model_validate(entry()).replay
    assert spec is not None
    assert told in impossible(spec, make(), OLD, "")
    assert impossible(spec, NEW, OLD, "") == ""
    assert "the stable version with spec.template" in impossible(spec, NEW, None, "")


def test_without_any_ledger_there_is_nothing_to_read() -> None:
    spec = ProofSpec.model_validate(entry(**{"from": LEDGER})).replay
    assert spec is not None
    assert "expected the ledger's address" in impossible(spec, NEW, OLD, "")
    assert impossible(spec, NEW, OLD, "http://ledger:8090") == ""
