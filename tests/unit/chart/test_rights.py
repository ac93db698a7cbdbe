"""Everything the chart's service accounts may do, in full: a right that is added is added here as well, or this fails."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.unit.chart.helm import Object, objects, values_of

OURS = "agentrollouts.io"
ADMISSION = "admissionregistration.k8s.io"
AGENTS = {
    "operator": {
        f"{OURS}/rollouts": "list watch",
        f"{OURS}/rollouts/status": "patch",
        f"{OURS}/agentversions": "list watch",
        f"{OURS}/agentversions/status": "patch",
        f"{OURS}/approvalgates": "create list watch",
        f"{OURS}/approvalgates/status": "patch",
        f"{OURS}/agentroutes": "create list patch watch",
        "apps/deployments": "create list patch watch",
        "/services": "create list patch watch",
        "/pods": "list watch",
        "/configmaps": "get list watch",
        "batch/jobs": "create delete list watch",
        "events.k8s.io/events": "create",
    },
    "router": {f"{OURS}/agentroutes": "list watch", "discovery.k8s.io/endpointslices": "list watch"},
    "prometheus": {"/pods": "list watch"},
}
HOME = {
    "operator": {
        "coordination.k8s.io/leases": "create",
        "coordination.k8s.io/leases agent-rollouts-operator": "get update",
        "/services": "create delete list patch",
    },
    "prometheus": {"/pods": "list watch"},
}
CLUSTER = {
    "operator": {
        f"{ADMISSION}/validatingadmissionpolicies": "list",
        f"{ADMISSION}/validatingadmissionpolicybindings": "list",
    }
}


def rights(rules: Iterable[Object]) -> dict[str, str]:
    """Resource (and name) to verbs."""
    found: dict[str, set[str]] = {}
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", [""]):
                    found.setdefault(f"{group}/{resource} {name}".strip(), set()).update(rule["verbs"])
    return {key: " ".join(sorted(verbs)) for key, verbs in found.items()}


def granted(found: Iterable[Object], component: str) -> dict[tuple[str, str], dict[str, str]]:
    """(kind, namespace) of each role bound to the component's account, to its rights."""
    by_name = {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item
        for item in found
    }
    result: dict[tuple[str, str], dict[str, str]] = {}
    for item in by_name.values():
        if not item["kind"].endswith("RoleBinding"):
            continue
        assert len(item["subjects"]) == 1
        subject = item["subjects"][0]
        if (subject["kind"], subject["name"]) != ("ServiceAccount", f"agent-rollouts-{component}"):
            continue
        place = (item["roleRef"]["kind"], item["metadata"].get("namespace", ""))
        role = by_name[(*place, item["roleRef"]["name"])]
        result.setdefault(place, {}).update(rights(role["rules"]))
    return result


@pytest.mark.parametrize("component", AGENTS)
def test_rights_on_all_namespaces(component: str) -> None:
    assert granted(objects(), component) == {
        ("ClusterRole", ""): AGENTS[component] | CLUSTER.get(component, {}),
        **({("Role", "agent-rollouts"): HOME[component]} if component in HOME else {}),
    }


@pytest.mark.parametrize("component", AGENTS)
def test_rights_on_named_namespaces_only(component: str) -> None:
    assert granted(objects(*values_of("namespaced")), component) == {
        ("Role", "desk"): AGENTS[component],
        ("Role", "shop"): AGENTS[component],
        **({("ClusterRole", ""): CLUSTER[component]} if component in CLUSTER else {}),
        **({("Role", "agent-rollouts"): HOME[component]} if component in HOME else {}),
    }


def test_nobody_gets_everything_and_no_account_may_approve() -> None:
    found = objects()
    for item in found:
        if item["kind"] in ("Role", "ClusterRole"):
            for rule in item["rules"]:
                assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
                assert "secrets" not in rule["resources"]
                if "approve" in rule["verbs"]:
                    assert item["metadata"]["name"] == "agent-rollouts-approver"
    assert not [
        item
        for item in found
        if item["kind"].endswith("RoleBinding") and "approver" in item["roleRef"]["name"]
    ]


def test_people_get_the_kinds_with_the_roles_they_have() -> None:
    roles = {item["metadata"]["name"]: item for item in objects() if item["kind"] == "ClusterRole"}
    assert rights(roles["agent-rollouts-view"]["rules"]) == {
        f"{OURS}/{plural}": "get list watch"
        for plural in ("rollouts", "agentversions", "approvalgates", "agentroutes")
    }
    labels = roles["agent-rollouts-approver"]["metadata"]["labels"]
    assert not [key for key in labels if "aggregate" in key]
    assert (
        rights(roles["agent-rollouts-approver"]["rules"])[f"{OURS}/approvalgates"]
        == "approve get list patch watch"
    )
