"""The rendered chart against goldens. After a change on purpose: ``UPDATE_GOLDENS=1 pytest tests/unit/chart`` and read the diff."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from agentrollouts.ledger.access import RIGHTS, SHORTEST
from agentrollouts.ledger.retention import Retention
from agentrollouts.ledger.settings import parse
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


def _operator_env(*arguments: str) -> dict[str, Object]:
    (operator,) = [pod for name, pod in pods(list(objects(*arguments))) if name.endswith("operator")]
    return {item["name"]: item for item in operator["containers"][0]["env"]}


def test_the_advisor_is_nobody_unless_one_is_named_and_its_key_stays_in_its_secret() -> None:
    assert not [name for name in _operator_env() if "ADVISOR" in name]
    env = _operator_env("--set", "advisor.baseURL=http://llm.models:8000/v1,advisor.existingSecret=llm-key")
    assert env["AGENT_ROLLOUTS_ADVISOR_URL"]["value"] == "http://llm.models:8000/v1"
    assert env["AGENT_ROLLOUTS_ADVISOR_API_KEY"]["valueFrom"] == {
        "secretKeyRef": {"name": "llm-key", "key": "apiKey"}
    }


def test_nobody_is_told_unless_a_secret_is_named_and_it_is_mounted_not_read() -> None:
    assert "AGENT_ROLLOUTS_DESTINATIONS" not in _operator_env()
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


def _ledger(*arguments: str) -> tuple[list[Object], Object, Object]:
    """(all objects, Deployment of the ledger, its pod)."""
    found = list(objects("--set", "ledger.enabled=true", *arguments))
    (made,) = [
        item
        for item in found
        if (item["kind"], item["metadata"]["name"]) == ("Deployment", "agent-rollouts-ledger")
    ]
    return found, made, made["spec"]["template"]["spec"]


def _named(found: list[Object], kind: str, part: str = "ledger") -> list[Object]:
    return [item for item in found if item["kind"] == kind and part in item["metadata"]["name"]]


def test_there_is_no_ledger_unless_it_is_wanted() -> None:
    found = list(objects())
    assert not [item for item in found if "ledger" in item["metadata"]["name"]]
    assert not [name for name in _operator_env() if "LEDGER" in name]


def test_one_ledger_writes_the_file_that_outlives_the_release() -> None:
    found, made, pod = _ledger()
    assert (made["spec"]["replicas"], made["spec"]["strategy"]) == (1, {"type": "Recreate"})
    (claim,) = _named(found, "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    (data,) = [each for each in pod["volumes"] if each["name"] == "data"]
    assert data["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "data"]
    assert f"sqlite:///{mount['mountPath']}/ledger.db" == str(
        parse(["--insecure"], {**_env(pod), TOKENS: ""}).database
    )
    found, _, pod = _ledger("--set", "ledger.persistence.enabled=false")
    assert not _named(found, "PersistentVolumeClaim")
    assert {"name": "data", "emptyDir": {}} in pod["volumes"]


TOKENS = "AGENT_ROLLOUTS_LEDGER_TOKENS"


def _env(pod: Object) -> dict[str, str]:
    return {item["name"]: item["value"] for item in pod["containers"][0]["env"] if "value" in item}


def test_the_ledger_understands_what_the_chart_tells_it(tmp_path: Path) -> None:
    (tmp_path / "agent").write_text("a-token-of-the-tests")
    told = "ledger.maxAge=12h,ledger.maxTasks=3000000,ledger.redact={emails,keys},ledger.holdout=2.5%"
    _, _, pod = _ledger("--set", told)
    env = _env(pod)
    assert env[TOKENS] in [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    settings = parse([], {**env, TOKENS: str(tmp_path)})
    assert settings.retention == Retention(age=timedelta(hours=12), per_agent=3_000_000)
    assert (settings.holdout, len(settings.redaction)) == (250, 2)
    assert settings.port == pod["containers"][0]["ports"][0]["containerPort"]
    assert pod["enableServiceLinks"] is False, "or AGENT_ROLLOUTS_LEDGER_PORT would be the Service's"


def test_several_ledgers_share_a_database_and_its_password_stays_in_its_secret() -> None:
    found, made, pod = _ledger("--set", "ledger.replicas=3,ledger.databaseUrlSecret=db")
    assert made["spec"]["replicas"] == 3
    assert "strategy" not in made["spec"]
    assert not _named(found, "PersistentVolumeClaim")
    assert len(_named(found, "PodDisruptionBudget")) == 1
    (url,) = [item for item in pod["containers"][0]["env"] if item["name"].endswith("DATABASE_URL")]
    assert url["valueFrom"] == {"secretKeyRef": {"name": "db", "key": "url"}}
    assert "data" not in [each["name"] for each in pod["volumes"]]


def test_tokens_are_made_for_each_role_and_agents_of_named_namespaces_get_theirs() -> None:
    found, _, pod = _ledger("--set", "watchNamespaces={shop,desk}")
    secrets = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item["data"]
        for item in _named(found, "Secret")
    }
    tokens = secrets.pop(("agent-rollouts", "agent-rollouts-ledger-tokens"))
    assert set(tokens) == set(RIGHTS)
    assert len(set(tokens.values())) == len(tokens)
    assert all(len(base64.b64decode(token)) >= SHORTEST for token in tokens.values())
    assert secrets == {
        (place, "agent-rollouts-ledger"): {"agent": tokens["agent"]} for place in ("shop", "desk")
    }
    (mounted,) = [each["secret"] for each in pod["volumes"] if each["name"] == "tokens"]
    assert mounted["secretName"] == "agent-rollouts-ledger-tokens"
    assert not _named(_ledger("--set", "ledger.tokensSecret=mine")[0], "Secret")


def test_the_operator_is_told_where_the_ledger_is_and_sees_its_own_token_alone() -> None:
    found, _, ledger = _ledger("--set", "ledger.tokensSecret=mine,ledger.agentSecret=ours")
    (pod,) = [pod for name, pod in pods(found) if name.endswith("operator")]
    env = _env(pod)
    (service,) = _named(found, "Service")
    place = f"{service['metadata']['name']}.{service['metadata']['namespace']}"
    assert env["AGENT_ROLLOUTS_LEDGER_URL"] == f"http://{place}:{service['spec']['ports'][0]['port']}"
    assert service["spec"]["ports"][0]["targetPort"] == ledger["containers"][0]["ports"][0]["name"]
    assert env["AGENT_ROLLOUTS_LEDGER_AGENT_SECRET"] == "ours"
    (volume,) = [each["secret"] for each in pod["volumes"] if each["name"] == "ledger"]
    assert (volume["secretName"], volume["items"], volume["optional"]) == (
        "mine",
        [{"key": "operator", "path": "operator"}],
        True,
    )
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "ledger"]
    assert env["AGENT_ROLLOUTS_LEDGER_TOKEN_FILE"] == f"{mount['mountPath']}/operator"
    assert granted(found, "operator") == granted(objects(), "operator"), "and no right is added"
    assert granted(found, "ledger") == {}
    assert ledger["automountServiceAccountToken"] is False


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
