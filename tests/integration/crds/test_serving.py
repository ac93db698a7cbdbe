"""What the API server makes of the definitions: tables, discovery, explanations, defaults, subresources, merging."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from agentrollouts.api.monitor import DriftStatus
from agentrollouts.api.rollout_status import RolloutStatus, StableStatus
from agentrollouts.core.evidence import Cell
from agentrollouts.core.monitor.behavior import behavior_of, profile_of
from agentrollouts.runtime.execute import wire
from hack.apiserver import ApiServer
from tests.builders import START
from tests.integration.api import OURS, Api, Object, RefusedError, definitions, path_of
from tests.integration.crds.examples import DIGEST, OTHER_DIGEST, changed
from tests.unit.core.monitor.behaving import USUAL

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
MOMENT, LATER = "2026-11-20T10:00:00.000000Z", "2026-11-20T11:00:00.000000Z"


def create(admin: Api, base: str, namespace: str, **changes: Any) -> Object:
    """A base in the test's namespace."""
    return admin.create(changed(base, {"metadata.namespace": namespace, **changes}))


def columns(admin: Api, body: Object, *, wide: bool = False) -> dict[str, Any]:
    """What ``kubectl get`` prints for one object, by column."""
    table = admin.request("GET", path_of(body), accept=TABLE)
    shown = zip(table["columnDefinitions"], table["rows"][0]["cells"], strict=True)
    return {column["name"]: cell for column, cell in shown if wide or not column["priority"]}


@pytest.mark.parametrize("body", definitions(), ids=lambda body: body["spec"]["names"]["plural"])
def test_a_definition_is_structural_and_applying_it_again_changes_nothing(admin: Api, body: Object) -> None:
    served = admin.get(body)
    conditions = {each["type"]: each["status"] for each in served["status"]["conditions"]}
    assert conditions["Established"] == conditions["NamesAccepted"] == "True"
    assert "NonStructuralSchema" not in conditions
    again = admin.apply(body, manager="test")
    assert again["metadata"]["resourceVersion"] == served["metadata"]["resourceVersion"]


def test_short_names_categories_and_subresources_are_discovered(admin: Api) -> None:
    found = {each["name"]: each for each in admin.request("GET", OURS)["resources"]}
    short = {name: each["shortNames"] for name, each in found.items() if "shortNames" in each}
    assert short == {
        "agentversions": ["av"],
        "rollouts": ["aro"],
        "approvalgates": ["agate"],
        "agentroutes": ["aroute"],
    }
    assert all(found[name]["categories"] == ["agents"] for name in short)
    assert {name for name in found if "/" in name} == {
        "agentversions/status",
        "agentversions/scale",
        "rollouts/status",
        "approvalgates/status",
    }


def test_versions_are_shown_with_their_share(admin: Api, namespace: str) -> None:
    body = create(admin, "version", namespace)
    status = {"phase": "Candidate", "share": 500, "health": "Healthy", "artifactDigest": OTHER_DIGEST}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": MOMENT}
    admin.patch(body, {"status": {**status, "conditions": [ready]}}, subresource="status")
    cells = columns(admin, body, wide=True)
    assert cells.pop("Age")
    assert cells.pop("Name") == "support-1.2.0"
    assert cells == {
        "Agent": "support",
        "Version": "1.2.0",
        "Phase": "Candidate",
        "Share": 500,
        "Health": "Healthy",
        "Ready": "True",
        "Digest": OTHER_DIGEST,
    }
    assert "Digest" not in columns(admin, body)


def test_gates_are_shown_with_their_question_and_approver(admin: Api, namespace: str) -> None:
    body = create(admin, "gate", namespace)
    people = [{"approver": name, "digest": OTHER_DIGEST, "time": MOMENT} for name in ("bob", "carol")]
    admin.patch(body, {"status": {"phase": "Open", "approvals": people}}, subresource="status")
    cells = columns(admin, body)
    assert cells["Share"] == "100%"
    assert (cells["Stable"], cells["Version"], cells["Phase"]) == ("1.1.0", "1.2.0", "Open")
    assert cells["Approver"] == "bob"


def test_rollouts_and_routes_are_shown_with_their_versions(admin: Api, namespace: str) -> None:
    rollout = create(admin, "rollout", namespace)
    candidate = {
        "version": "1.2.0",
        "digest": OTHER_DIGEST,
        "share": 500,
        "step": 0,
        "startedAt": MOMENT,
        "stepStartedAt": MOMENT,
    }
    stable = {"version": "1.1.0", "digest": OTHER_DIGEST, "since": MOMENT}
    status = {"phase": "Progressing", "message": "5% for 15m", "stable": stable, "candidate": candidate}
    admin.patch(rollout, {"status": status}, subresource="status")
    cells = columns(admin, rollout, wide=True)
    assert [cells[name] for name in ("Phase", "Stable", "Candidate", "Share", "Step", "Message")] == [
        "Progressing",
        "1.1.0",
        "1.2.0",
        500,
        0,
        "5% for 15m",
    ]
    cells = columns(admin, create(admin, "route", namespace))
    assert cells["Port"] == 10017
    assert (cells["Stable"], cells["Candidate"], cells["Share"]) == ("1.1.0", "1.2.0", 500)


def test_objects_are_selected_by_phase(admin: Api, namespace: str) -> None:
    body = create(admin, "version", namespace)
    create(admin, "version", namespace, **{"metadata.name": "support-1.3.0", "spec.version": "1.3.0"})
    admin.patch(body, {"status": {"phase": "Stable"}}, subresource="status")
    query = {"fieldSelector": "status.phase=Stable,spec.agent=support"}
    path = path_of(body, with_name=False)
    assert [each["spec"]["version"] for each in admin.request("GET", path, query=query)["items"]] == ["1.2.0"]


def test_spec_and_status_are_written_apart(admin: Api, namespace: str) -> None:
    body = create(admin, "rollout", namespace, status={"phase": "Healthy"})
    assert "status" not in body
    body = admin.patch(body, {"spec": {"paused": True}, "status": {"phase": "Healthy"}})
    assert (body["spec"]["paused"], body.get("status")) == (True, None)
    change = {
        "metadata": {"annotations": {"a": "b"}},
        "spec": {"paused": False},
        "status": {"phase": "Healthy"},
    }
    body = admin.patch(body, change, subresource="status")
    assert (body["spec"]["paused"], body["status"], body["metadata"].get("annotations")) == (
        True,
        {"phase": "Healthy"},
        None,
    )


def test_a_version_is_scaled_by_its_scale_subresource(admin: Api, namespace: str) -> None:
    body = create(admin, "version", namespace)
    status = {"replicas": 1, "selector": "agentrollouts.io/agent=support"}
    admin.patch(body, {"status": status}, subresource="status")
    scale = admin.patch(body, {"spec": {"replicas": 4}}, subresource="scale")
    assert scale["status"] == {"replicas": 1, "selector": "agentrollouts.io/agent=support"}
    assert admin.get(body)["spec"]["replicas"] == 4
    with pytest.raises(RefusedError, match="1000"):
        admin.patch(body, {"spec": {"replicas": 1001}}, subresource="scale")


def test_a_version_exists_once(admin: Api, namespace: str) -> None:
    create(admin, "version", namespace)
    with pytest.raises(RefusedError, match="already exists"):
        create(admin, "version", namespace, **{"spec.release.code.digest": OTHER_DIGEST})
    other = changed("version", {"metadata.namespace": namespace, "spec.release.code.digest": OTHER_DIGEST})
    with pytest.raises(RefusedError, match="immutable"):
        admin.apply(other, manager="gitops")


def test_conditions_merge_by_type_whoever_applies_them(admin: Api, namespace: str) -> None:
    body = create(admin, "rollout", namespace)

    def condition(kind: str, moment: str) -> Object:
        head = {key: body[key] for key in ("apiVersion", "kind")} | {
            "metadata": {key: body["metadata"][key] for key in ("name", "namespace")}
        }
        return head | {
            "status": {"conditions": [{"type": kind, "status": "True", "lastTransitionTime": moment}]}
        }

    admin.apply(condition("Ready", MOMENT), manager="one", subresource="status")
    admin.apply(condition("Insecure", MOMENT), manager="two", subresource="status")
    after = admin.apply(condition("Ready", LATER), manager="one", subresource="status")
    found = {each["type"]: each["lastTransitionTime"] for each in after["status"]["conditions"]}
    assert found == {"Ready": LATER, "Insecure": MOMENT}


def test_a_profile_is_stored_as_it_is_written_and_another_takes_its_place(admin: Api, namespace: str) -> None:
    """By the same apply that the operator uses: no name of the old profile stays behind."""
    body = create(admin, "rollout", namespace)
    head = {key: body[key] for key in ("apiVersion", "kind")} | {
        "metadata": {key: body["metadata"][key] for key in ("name", "namespace")}
    }
    for tools in ({"lookup": 1.0}, {f"tool-{n}": 1 / 64 for n in range(64)} | {"other": 0.0, "none": 0.0}):
        cells = {Cell("agent_session_tool_fraction_total", name): n for name, n in tools.items()}
        behavior = behavior_of(USUAL.exactly(400) | cells)
        assert behavior is not None
        stable = StableStatus(
            version="1.2.0", digest=DIGEST, since=START, profile=profile_of(behavior, START)
        )
        drift = DriftStatus(signal="toolMix", since=START, message="toolMix: 31.0% moved")
        status = RolloutStatus(stable=stable, drift=(drift,))
        stored = admin.apply(head | {"status": wire(status)}, manager="operator", subresource="status")
        assert RolloutStatus.model_validate(stored["status"]) == status


def test_steps_are_one_value_for_server_side_apply(admin: Api, namespace: str) -> None:
    body = changed("rollout-steps", {"metadata.namespace": namespace})
    admin.apply(body, manager="gitops")
    after = admin.apply(
        body | {"spec": {**body["spec"], "strategy": {"steps": [{"share": "7%"}]}}}, manager="gitops"
    )
    assert after["spec"]["strategy"] == {"steps": [{"share": "7%"}]}


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("agentversion.spec.replicas", "the only part that may change"),
        ("agentversion.spec.template.spec.containers.ports.name", "http where the agent listens"),
        ("rollout", "Change spec.version and a rollout begins"),
        ("rollout.spec.strategy.steps.soak", "15m where absent"),
        ("rollout.spec.analysis.checks.latency", "at every histogram edge that tells them apart"),
        ("rollout.status.conditions.lastTransitionTime", "When status last changed"),
        ("approvalgate", "kubectl annotate approvalgate NAME agentrollouts.io/approve=true"),
        ("approvalgate.spec.artifactDigest", "this artifact and no other"),
        ("agentroute.spec.port", "Listener port on the router pods"),
    ],
)
def test_kubectl_explains(apiserver: ApiServer, admin: Api, field: str, words: str) -> None:
    assert admin
    kubectl = [str(apiserver.kubectl), f"--kubeconfig={apiserver.kubeconfig}", "explain", field]
    answer = subprocess.run(kubectl, check=True, capture_output=True, text=True, timeout=30).stdout
    assert words in " ".join(answer.split())


def test_the_server_fills_in_what_applies(admin: Api) -> None:
    spec = admin.create(changed("rollout", {}), dry_run=True)["spec"]
    assert spec == {
        "agent": "support",
        "version": "1.2.0",
        "paused": False,
        "assignment": {"cookieTtl": "24h", "unit": "User"},
        "control": {"maxShare": "10%"},
        "router": {"kind": "Envoy", "timeout": "5m"},
        "analysis": {
            "preset": "default",
            "interval": "2s",
            "window": "0s",
            "onNoEvidence": "Pause",
        },
        "monitor": {
            "enabled": True,
            "interval": "5m",
            "window": "24h",
            "minimumSessions": 200,
            "toolMix": "15%",
            "topicMix": "15%",
            "responseLength": "30%",
            "events": "5%",
        },
        "approval": {"above": "99.99%", "quorum": 1, "ttl": "168h", "separationOfDuties": True},
        "proposals": {
            "autoStart": False,
            "promptVariable": "SYSTEM_PROMPT",
            "minimumInterval": "24h",
            "coolDown": "72h",
        },
        "rollback": {
            "sessions": "drain",
            "deadline": "30s",
            "warmFor": "1h",
            "readyDeadline": "10m",
            "coolDown": "10m",
            "maxRestarts": 2,
        },
    }


@pytest.mark.parametrize("base", ["rollout-steps", "rollout-manual", "version"])
def test_the_server_adds_nothing_inside_lists(admin: Api, base: str) -> None:
    body = changed(base, {})
    assert _lists(admin.create(body, dry_run=True)["spec"]) == _lists(body["spec"])


def _lists(value: Any) -> list[str]:
    """Every list below, as text; a tool that compares manifests takes each as one value."""
    if isinstance(value, list):
        return [json.dumps(value, sort_keys=True)]
    return [text for key in sorted(value) for text in _lists(value[key])] if isinstance(value, dict) else []
