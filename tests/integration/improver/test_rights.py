"""What the improver's service account can't do, whatever it is told: the real API server says no."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest

from agentrollouts.api.rollout import RolloutSpec
from tests.fakes.improvable import version
from tests.integration.api import OURS, Api, Object, RefusedError
from tests.integration.crds.examples import changed
from tests.integration.improver.conftest import USER, placed


def proposed(namespace: str, number: str = "1.0.1-p1", **lineage: Any) -> Object:
    """A version as the improver writes it."""
    told = {"author": "Agent", "proposedBy": USER, "parent": "1.0.0", "rationale": "better", **lineage}
    return placed(version(number, lineage={key: value for key, value in told.items() if value}), namespace)


def test_it_may_make_its_version_and_ask_for_it(improver: Api, rollout: Object, admin: Api) -> None:
    made = improver.create(proposed(rollout["metadata"]["namespace"]))
    after = improver.patch(rollout, {"spec": {"version": "1.0.1-p1"}})
    assert after["spec"] == rollout["spec"] | {"version": "1.0.1-p1"}
    admin.delete(made)


def test_without_the_rollouts_leave_it_starts_nothing(improver: Api, rollout: Object, admin: Api) -> None:
    for proposals in ({"autoStart": False}, None):
        admin.patch(rollout, {"spec": {"proposals": proposals}})
        with pytest.raises(RefusedError, match=r"only where spec\.proposals\.autoStart"):
            improver.patch(rollout, {"spec": {"version": "1.0.1-p1"}})


CHANGES: dict[str, Any] = {
    "paused": True,
    "assignment": {"header": "x-other"},
    "control": {"maxShare": "0%"},
    "router": {"timeout": "1m"},
    "strategy": {"steps": [{"share": "99%"}]},
    "analysis": {"interval": "59s"},
    "monitor": {"enabled": False},
    "approval": {"above": "99%", "quorum": 1, "separationOfDuties": False},
    "advisor": {"model": "x"},
    "rollback": {"coolDown": "0s"},
    "proposals": {"autoStart": True, "minimumInterval": "10m", "coolDown": "0s"},
    "notify": [{"name": "x", "webhook": {"ref": "y"}}],
}


@pytest.mark.parametrize("field", list(CHANGES))
def test_no_other_field_of_the_spec_changes(improver: Api, rollout: Object, field: str) -> None:
    for more in ({}, {"version": "1.0.1-p1"}):
        with pytest.raises(RefusedError, match="nothing of a Rollout's spec but version"):
            improver.patch(rollout, {"spec": {field: CHANGES[field], **more}})


def test_the_list_of_fields_is_whole() -> None:
    aliases = {field.alias or name for name, field in RolloutSpec.model_fields.items()}
    assert {*CHANGES, "version", "agent"} >= aliases, (
        "a new field of the Rollout: may the improver change it?"
    )


def test_a_field_is_not_taken_away_either(improver: Api, rollout: Object, admin: Api) -> None:
    admin.patch(rollout, {"spec": {"approval": {"above": "10%"}}})
    with pytest.raises(RefusedError, match="nothing of a Rollout's spec but version"):
        improver.patch(rollout, {"spec": {"approval": None}})


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {"agentrollouts.io/retry": "now"}},
        {"annotations": {"agentrollouts.io/resume": "now"}},
        {"annotations": {"team": None}},
        {"labels": {"team": "other"}},
        {"finalizers": ["example.com/for-ever"]},
    ],
)
def test_it_asks_the_operator_for_nothing(improver: Api, rollout: Object, metadata: Object) -> None:
    with pytest.raises(RefusedError, match="no label and no annotation"):
        improver.patch(rollout, {"metadata": metadata})


@pytest.mark.parametrize("number", ["2.0.0", "0.9.0", "1.0.0-rc1"])
def test_it_asks_for_its_own_versions_only(improver: Api, rollout: Object, number: str) -> None:
    with pytest.raises(RefusedError, match="its own"):
        improver.patch(rollout, {"spec": {"version": number}})


def test_it_starts_nothing_while_something_is_on_its_way(improver: Api, rollout: Object, admin: Api) -> None:
    since = "2026-01-01T00:00:00Z"
    candidate = {
        "version": "2.0.0",
        "digest": "sha256:" + "b" * 64,
        "startedAt": since,
        "stepStartedAt": since,
    }
    admin.patch(rollout, {"status": {"candidate": candidate}}, subresource="status")
    with pytest.raises(RefusedError, match="while another version is on its way"):
        improver.patch(rollout, {"spec": {"version": "1.0.1-p1"}})


@pytest.mark.parametrize(
    ("lineage", "words"),
    [
        ({"author": "Person"}, "says so in spec.lineage.author"),
        ({"author": None}, "says so in spec.lineage.author"),
        ({"proposedBy": "alice"}, "names the improver"),
        ({"proposedBy": None}, "names the improver"),
        ({"parent": None}, "names its parent"),
    ],
)
def test_it_signs_what_it_writes(improver: Api, rollout: Object, lineage: Any, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        improver.create(proposed(rollout["metadata"]["namespace"], **lineage))


def test_it_takes_no_number_that_people_use(improver: Api, rollout: Object) -> None:
    with pytest.raises(RefusedError, match="versions such as"):
        improver.create(proposed(rollout["metadata"]["namespace"], "1.0.1"))


def test_what_is_made_stays(improver: Api, rollout: Object, admin: Api) -> None:
    made = improver.create(proposed(rollout["metadata"]["namespace"], "1.0.1-p7"))
    with pytest.raises(RefusedError, match='cannot patch resource "agentversions"'):
        improver.patch(made, {"spec": {"replicas": 0}})
    with pytest.raises(RefusedError, match='cannot delete resource "agentversions"'):
        improver.delete(made)
    with pytest.raises(RefusedError, match='cannot delete resource "rollouts"'):
        improver.delete(rollout)
    admin.delete(made)


def test_gates_status_and_secrets_are_out_of_reach(improver: Api, rollout: Object, admin: Api) -> None:
    shop = rollout["metadata"]["namespace"]
    gate = admin.create(
        changed("gate", {"metadata.namespace": shop, "metadata.name": f"g-{uuid.uuid4().hex[:6]}"})
    )
    attempts = {
        'get resource "approvalgates"': lambda: improver.get(gate),
        'patch resource "approvalgates"': lambda: improver.annotate(gate, approve="true"),
        'create resource "approvalgates"': lambda: improver.create(copy.deepcopy(gate)),
        'patch resource "rollouts/status"': lambda: improver.patch(
            rollout, {"status": {"phase": "Healthy"}}, subresource="status"
        ),
        'list resource "agentroutes"': lambda: improver.request(
            "GET", f"{OURS}/namespaces/{shop}/agentroutes"
        ),
        'list resource "secrets"': lambda: improver.request("GET", f"/api/v1/namespaces/{shop}/secrets"),
        'get resource "secrets"': lambda: improver.request(
            "GET", "/api/v1/namespaces/agent-rollouts/secrets/ledger-tokens"
        ),
        'list resource "configmaps"': lambda: improver.request(
            "GET", f"/api/v1/namespaces/{shop}/configmaps"
        ),
        'list resource "pods"': lambda: improver.request("GET", f"/api/v1/namespaces/{shop}/pods"),
    }
    for words, attempt in attempts.items():
        with pytest.raises(RefusedError, match=f"cannot {words}"):
            attempt()
    admin.delete(gate)


def test_another_rollout_is_none_of_its_business(improver: Api, rollout: Object, admin: Api) -> None:
    other = changed(
        "rollout",
        {
            "metadata.namespace": rollout["metadata"]["namespace"],
            "metadata.name": "billing",
            "spec.agent": "billing",
            "spec.proposals": {"autoStart": True},
        },
    )
    admin.create(other)
    with pytest.raises(RefusedError, match='cannot patch resource "rollouts"'):
        improver.patch(other, {"spec": {"version": "1.0.1-p1"}})
    admin.delete(other)


def test_people_are_not_held_to_it(admin: Api, rollout: Object) -> None:
    alice = admin.as_user("alice")
    after = alice.patch(rollout, {"spec": {"version": "2.0.0", "paused": True}})
    assert (after["spec"]["version"], after["spec"]["paused"]) == ("2.0.0", True)


def test_even_with_more_rights_than_the_chart_gives(rollout: Object, improver: Api, admin: Api) -> None:
    """A careless ClusterRoleBinding to all service accounts leaves the policies in force."""
    from tests.integration.admission.policies import allow

    shop = rollout["metadata"]["namespace"]
    wide = {"apiGroups": ["agentrollouts.io"], "resources": ["*"], "verbs": ["*"]}
    allow(admin, shop, "careless", [wide], USER)
    gate = admin.create(changed("gate", {"metadata.namespace": shop, "metadata.name": "careless"}))
    for attempt in (
        lambda: improver.annotate(gate, approve="true"),
        lambda: improver.patch(rollout, {"status": {"phase": "Healthy"}}, subresource="status"),
        lambda: improver.delete(rollout),
    ):
        with pytest.raises(RefusedError, match="changes nothing but"):
            attempt()
    admin.delete({"kind": "RoleBinding", "metadata": {"name": "careless", "namespace": shop}})
    admin.delete({"kind": "Role", "metadata": {"name": "careless", "namespace": shop}})
    admin.delete(gate)
