"""The ledger as the chart installs it: what it stores where, who has which token, and what the operator is told of it."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

from agentrollouts.ledger.access import SHORTEST, Access
from agentrollouts.ledger.retention import Retention
from agentrollouts.ledger.rights import RIGHTS, Right
from agentrollouts.ledger.settings import parse
from tests.unit.chart.helm import Object, objects
from tests.unit.chart.test_rendering import operator_env, pods
from tests.unit.chart.test_rights import granted

TOKENS = "AGENT_ROLLOUTS_LEDGER_TOKENS"


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
    assert not [name for name in operator_env() if "LEDGER" in name]


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
    narrow = {f"{role}.{place}" for role in ("agent", "reader") for place in ("shop", "desk")}
    assert set(tokens) == set(RIGHTS) | narrow
    assert len(set(tokens.values())) == len(tokens)
    assert all(len(base64.b64decode(token)) >= SHORTEST for token in tokens.values())
    assert secrets == {
        (place, "agent-rollouts-ledger"): {role: tokens[f"{role}.{place}"] for role in ("agent", "reader")}
        for place in ("shop", "desk")
    }
    (mounted,) = [each["secret"] for each in pod["volumes"] if each["name"] == "tokens"]
    assert mounted["secretName"] == "agent-rollouts-ledger-tokens"
    assert not _named(_ledger("--set", "watchNamespaces={shop},ledger.tokensSecret=mine")[0], "Secret")
    found, _, _ = _ledger("--set", "watchNamespaces={shop},ledger.agentSecret=")
    (alone,) = _named(found, "Secret")
    assert set(alone["data"]) == {*RIGHTS, "agent.shop", "reader.shop"}, "to be handed on by hand"


def test_the_ledger_can_use_the_tokens_that_are_made_for_it(tmp_path: Path) -> None:
    found, _, _ = _ledger("--set", "watchNamespaces={shop}")
    (tokens,) = [item["data"] for item in _named(found, "Secret") if item["metadata"]["namespace"] != "shop"]
    for entry, token in tokens.items():
        (tmp_path / entry).write_bytes(base64.b64decode(token))
    access = Access(tmp_path)
    access.check()
    ours = access.grants(f"Bearer {base64.b64decode(tokens['reader.shop']).decode()}")
    assert ours.namespaces(Right.READ_EVIDENCE) == frozenset({"shop"})


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
