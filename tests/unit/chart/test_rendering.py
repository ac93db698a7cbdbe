"""The rendered chart against goldens. After a change on purpose: ``UPDATE_GOLDENS=1 pytest tests/unit/chart`` and read the diff."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.unit.chart.helm import CHART, MUTATING, REPOSITORY, HelmError, Object, helm, objects, values_of
from tests.unit.chart.test_rights import granted

GOLDENS = Path(__file__).parent / "goldens"
VARIANTS = ("default", "namespaced", "external-prometheus", "ledger")


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> tuple[str, list[Object]]:
    """One set of values, rendered once."""
    return request.param, list(objects(*values_of(request.param)))


def test_it_renders_as_before(variant: tuple[str, list[Object]]) -> None:
    name, found = variant
    # CRDs and policies are compared with their sources elsewhere: here they would only hide what changed.
    kept = [
        item for item in found if "Policy" not in item["kind"] and item["kind"] != "CustomResourceDefinition"
    ]
    kept.sort(
        key=lambda item: (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"])
    )
    text = yaml.safe_dump_all(kept, sort_keys=True, width=110)
    golden = GOLDENS / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDENS"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def pods(found: list[Object]) -> Iterator[tuple[str, Object]]:
    for item in found:
        if item["kind"] == "Deployment":
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item["spec"]


def test_every_pod_is_restricted(variant: tuple[str, list[Object]]) -> None:
    for name, pod in pods(variant[1]):
        context = pod["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 65532), name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in [*pod.get("initContainers", ()), *pod["containers"]]:
            own = container["securityContext"]
            assert own == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (name, container["name"])


def test_every_long_lived_container_says_what_it_needs(variant: tuple[str, list[Object]]) -> None:
    for item in variant[1]:
        if item["kind"] == "Deployment":
            for container in item["spec"]["template"]["spec"]["containers"]:
                assert {"requests", "limits"} <= container["resources"].keys(), container["name"]
                assert "readinessProbe" in container, container["name"]


def test_names_and_selectors_meet(variant: tuple[str, list[Object]]) -> None:
    labels = [
        item["spec"]["template"]["metadata"]["labels"] for item in variant[1] if item["kind"] == "Deployment"
    ]
    for item in variant[1]:
        if item["kind"] == "Service":
            assert any(item["spec"]["selector"].items() <= each.items() for each in labels), item["metadata"]
        if item["kind"] == "PodDisruptionBudget":
            wanted = item["spec"]["selector"]["matchLabels"]
            assert any(wanted.items() <= each.items() for each in labels), item["metadata"]


def test_the_router_has_time_to_drain() -> None:
    found = objects("--set", "router.drainSeconds=90")
    (router,) = [
        item for item in found if item["kind"] == "Deployment" and item["metadata"]["name"].endswith("router")
    ]
    pod = router["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 90
    hook = next(each for each in pod["containers"] if each["name"] == "xds")["lifecycle"]["preStop"]
    assert "--deadline 90" in " ".join(hook["exec"]["command"])
    assert router["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def operator_env(*arguments: str) -> dict[str, Object]:
    (operator,) = [pod for name, pod in pods(list(objects(*arguments))) if name.endswith("operator")]
    return {item["name"]: item for item in operator["containers"][0]["env"]}


def test_the_advisor_is_nobody_unless_one_is_named_and_its_key_stays_in_its_secret() -> None:
    assert not [name for name in operator_env() if "ADVISOR" in name]
    env = operator_env("--set", "advisor.baseURL=http://llm.models:8000/v1,advisor.existingSecret=llm-key")
    assert env["AGENT_ROLLOUTS_ADVISOR_URL"]["value"] == "http://llm.models:8000/v1"
    assert env["AGENT_ROLLOUTS_ADVISOR_API_KEY"]["valueFrom"] == {
        "secretKeyRef": {"name": "llm-key", "key": "apiKey"}
    }


def test_nobody_is_told_unless_a_secret_is_named_and_it_is_mounted_not_read() -> None:
    assert "AGENT_ROLLOUTS_DESTINATIONS" not in operator_env()
    found = list(objects("--set", "notifiers.secretName=oncall"))
    (pod,) = [pod for name, pod in pods(found) if name.endswith("operator")]
    env = {item["name"]: item.get("value") for item in pod["containers"][0]["env"]}
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "destinations"]
    assert mount == {
        "name": "destinations",
        "mountPath": env["AGENT_ROLLOUTS_DESTINATIONS"],
        "readOnly": True,
    }
    (volume,) = [each for each in pod["volumes"] if each["name"] == "destinations"]
    assert volume["secret"] == {"secretName": "oncall", "optional": True, "defaultMode": 0o440}
    assert granted(found, "operator") == granted(objects(), "operator"), "and no right is added"


def test_older_servers_get_no_policy_they_do_not_know() -> None:
    text = helm("template", "agent-rollouts", str(CHART), "-n", "x", "--kube-version", "1.35.0")
    assert "kind: ValidatingAdmissionPolicy\n" in text
    assert "MutatingAdmissionPolicy\n" not in text
    newer = helm("template", "agent-rollouts", str(CHART), "-n", "x", "--api-versions", MUTATING)
    assert "kind: MutatingAdmissionPolicy\n" in newer


def test_policies_can_be_left_out() -> None:
    assert not [
        item for item in objects("--set", "admission.enabled=false") if "AdmissionPolicy" in item["kind"]
    ]


def test_the_definitions_are_those_of_the_repository_and_are_kept() -> None:
    found = {
        item["metadata"]["name"]: item for item in objects() if item["kind"] == "CustomResourceDefinition"
    }
    for path in (REPOSITORY / "crds").glob("*.yaml"):
        source = yaml.safe_load(path.read_text())
        item = found.pop(source["metadata"]["name"])
        assert item["spec"] == source["spec"]
        assert item["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert found == {}
    loose = [
        item for item in objects("--set", "crds.keep=false") if item["kind"] == "CustomResourceDefinition"
    ]
    assert loose
    assert all("annotations" not in item["metadata"] for item in loose)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("operator.replica=3", "replica"),
        ("router.replicas=0", "replicas"),
        ("prometheus.url=prometheus:9090", "url"),
        ("advisor.baseURL=llm.models:8000/v1", "baseURL"),
        ("advisor.baseURL=http://user:word@llm/v1", "baseURL"),
        ("advisor.existingSecret=My_Secret", "existingSecret"),
        ("notifiers.secretName=My_Secret", "secretName"),
        ("notifiers.oncall=https://hooks.example", "oncall"),
        ("operator.logLevel=verbose", "logLevel"),
        ("watchNamespaces={Shop}", "watchNamespaces"),
        ("prometheus.bundled.scrapeIntervalSeconds=5s", "scrapeIntervalSeconds"),
        ("ledger.enabled=true,ledger.replicas=2", "expected 1 with SQLite.*ledger.databaseUrlSecret"),
        ("ledger.maxAge=soon", "maxAge"),
        ("ledger.redact={names}", "redact"),
        ("ledger.holdout=half", "holdout"),
        ("ledger.tokensSecret=My_Secret", "tokensSecret"),
    ],
)
def test_wrong_values_are_refused_by_name(values: str, words: str) -> None:
    with pytest.raises(HelmError, match=words):
        objects("--set", values)


def test_all_values_have_a_row_in_the_readme() -> None:
    text = (CHART / "README.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    missing = [name for name in _paths(values) if not any(part in text for part in _spellings(name))]
    assert missing == []


def _paths(values: Object, before: str = "") -> Iterator[str]:
    for name, value in values.items():
        path = f"{before}{name}"
        if isinstance(value, dict) and value and not path.endswith("resources"):
            yield from _paths(value, f"{path}.")
        else:
            yield path


def _spellings(path: str) -> list[str]:
    parts = path.split(".")
    return [f"`{path}`", *(f"`{'.'.join(parts[n:])}`" for n in range(1, len(parts))), f"`.{parts[-1]}`"]


def test_the_chart_is_as_helm_likes_it() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))
