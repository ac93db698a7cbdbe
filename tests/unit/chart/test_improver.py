"""The improver in the chart: absent unless it is asked for, and then with exactly its rights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentrollouts.improver.settings import read_settings
from agents.author.scripts import GOOD
from hack.learn import improver, manifests
from tests.unit.chart.helm import HelmError, Object, objects
from tests.unit.chart.test_rights import granted

VALUES = """
improver:
  enabled: true
  rollouts:
    - {namespace: shop, name: support, trialURL: "http://support-trial.shop:8080/v1/trial"}
    - {namespace: desk, name: billing, trialURL: "http://billing-trial.desk:8080/v1/trial"}
  model:
    baseURL: http://llm.models:8000/v1
    name: small-1
    existingSecret: llm-key
    prices: {small-1: {input: "0.25", output: "2"}}
  ledger: {url: "http://ledger:8090", existingSecret: ledger-tokens}
"""
OURS = "agentrollouts.io"
OF = f"{OURS}/rollout"
"""Annotation: whose improver it is."""


def rendered(tmp_path: Path, *arguments: str) -> list[Object]:
    file = tmp_path / "values.yaml"
    file.write_text(VALUES)
    return list(objects("-f", str(file), *arguments))


def pod_of(job: Object) -> Object:
    """The pods that a CronJob makes."""
    template: Object = job["spec"]["jobTemplate"]["spec"]["template"]
    return template


def test_it_is_off() -> None:
    assert "improver" not in str([item["metadata"] for item in objects()])


def test_its_rights_are_those_and_no_others(tmp_path: Path) -> None:
    found = rendered(tmp_path)
    assert granted(found, "improver") == {
        ("Role", namespace): {
            f"{OURS}/rollouts {name}": "get patch",
            f"{OURS}/agentversions": "create list",
            "events.k8s.io/events": "create",
        }
        for namespace, name in (("shop", "support"), ("desk", "billing"))
    }
    assert granted(found, "operator") == granted(objects(), "operator")


def test_each_rollout_has_a_job_that_runs_once_and_sees_two_keys(tmp_path: Path) -> None:
    jobs = [item for item in rendered(tmp_path) if item["kind"] == "CronJob"]
    assert len({job["metadata"]["name"] for job in jobs}) == 2
    for job in jobs:
        assert len(job["metadata"]["name"]) <= 52
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        spec = job["spec"]["jobTemplate"]["spec"]
        pod = spec["template"]["spec"]
        assert (spec["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
        assert pod["serviceAccountName"] == "agent-rollouts-improver"
        assert pod["securityContext"]["runAsNonRoot"] is True
        secrets = {
            volume["secret"]["secretName"]: volume["secret"]["items"]
            for volume in pod["volumes"]
            if "secret" in volume
        }
        assert secrets == {
            "ledger-tokens": [{"key": "improver", "path": "improver"}],
            "llm-key": [{"key": "apiKey", "path": "apiKey"}],
        }
    (container,) = jobs[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert env["AGENT_ROLLOUTS_IMPROVER_PRICES"] == '{"small-1":{"input":"0.25","output":"2"}}'
    assert container["args"] == ["support", "--namespace", "shop"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_job_can_read_its_settings(tmp_path: Path) -> None:
    job = next(
        item
        for item in rendered(tmp_path, "--set", "improver.model.existingSecret=")
        if item["kind"] == "CronJob"
    )
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    token = tmp_path / "improver"
    token.write_text("a-token-of-the-tests")
    assert read_settings(env | {"AGENT_ROLLOUTS_LEDGER_TOKEN_FILE": str(token)}).lacking == ""


def test_an_agent_on_trial_finds_the_run_of_its_own_rollout_and_no_other(tmp_path: Path) -> None:
    found = rendered(tmp_path)
    jobs = [item for item in found if item["kind"] == "CronJob"]
    services = [
        item for item in found if item["kind"] == "Service" and OF in item["metadata"].get("annotations", {})
    ]
    assert {each["metadata"]["annotations"][OF] for each in services} == {"shop/support", "desk/billing"}
    for service in services:
        spec = service["spec"]
        (met,) = (
            job for job in jobs if spec["selector"].items() <= pod_of(job)["metadata"]["labels"].items()
        )
        assert met["metadata"]["annotations"][OF] == service["metadata"]["annotations"][OF]
        (container,) = pod_of(met)["spec"]["containers"]
        (port,), (listening,) = spec["ports"], container["ports"]
        assert port["targetPort"] == listening["name"]
        listen = read_settings(
            {each["name"]: each["value"] for each in container["env"] if "LISTEN" in each["name"]}
        )
        assert listen.listen == ("0.0.0.0", listening["containerPort"])


def test_its_policies_name_its_account(tmp_path: Path) -> None:
    found = rendered(tmp_path)
    policies = [
        item
        for item in found
        if item["kind"] == "ValidatingAdmissionPolicy" and "improver" in item["metadata"]["name"]
    ]
    assert len(policies) == 2
    for policy in policies:
        (condition,) = policy["spec"]["matchConditions"]
        assert "'system:serviceaccount:agent-rollouts:agent-rollouts-improver'" in condition["expression"]
        assert policy["spec"]["failurePolicy"] == "Fail"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("admission.enabled=false", "improver.enabled needs admission.enabled"),
        ("improver.ledger.existingSecret=", "existingSecret"),
        ("improver.model.baseURL=", "baseURL"),
        ("improver.rollouts=null", "rollouts"),
        ("improver.model.prices.small-1.input=cheap", "input"),
        ("improver.autoStart=true", "autoStart"),
    ],
)
def test_without_what_it_needs_nothing_is_installed(tmp_path: Path, values: str, words: str) -> None:
    with pytest.raises(HelmError, match=words):
        rendered(tmp_path, "--set", values)


def test_the_demos_values_are_values_of_the_chart() -> None:
    values = manifests.chart_values("learn", GOOD)
    words = [word for name, value in values.items() for word in ("--set-json", f"{name}={json.dumps(value)}")]
    (job,) = [item for item in objects(*words) if item["kind"] == "CronJob"]
    assert job["metadata"]["annotations"]["agentrollouts.io/rollout"] == f"learn/{manifests.AGENT}"
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}
    assert env[improver.MODEL] == GOOD
    prices = json.loads(env["AGENT_ROLLOUTS_IMPROVER_PRICES"])
    assert prices == manifests.PRICES


def test_the_demos_trial_looks_for_recordings_where_the_chart_serves_them() -> None:
    values = manifests.chart_values("learn", GOOD)
    words = [word for name, value in values.items() for word in ("--set-json", f"{name}={json.dumps(value)}")]
    (service,) = [
        item
        for item in objects(*words)
        if item["kind"] == "Service" and "improver" in item["metadata"]["name"]
    ]
    where, (port,) = service["metadata"], service["spec"]["ports"]
    url = f"http://{where['name']}.{where['namespace']}:{port['port']}"
    deployment, _ = manifests.trial("learn")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert (env["AGENT_REPLAY"], env["AGENT_REPLAY_URL"]) == ("1", url)
