"""Approval by a plain annotation where the server itself writes down who it was."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.admission.conftest import Ask
from tests.integration.api import Api, Object, RefusedError
from tests.integration.crds.examples import DIGEST, OTHER_DIGEST, changed

pytestmark = pytest.mark.usefixtures("stamping")


def answers(body: Object) -> dict[str, str]:
    """The annotations of a gate or Rollout, by their short names."""
    found = body["metadata"].get("annotations") or {}
    return {key.removeprefix("agentrollouts.io/"): value for key, value in found.items()}


def refusal(api: Api, body: Object, **annotations: str | None) -> str:
    """The words with which an annotation is refused."""
    with pytest.raises(RefusedError, match="forbidden") as refused:
        api.annotate(body, **annotations)
    return str(refused.value)


@pytest.mark.parametrize(
    "value", ["true", "true looked at the diff", DIGEST, f"{DIGEST} read the transcripts"]
)
def test_an_approval_carries_the_approvers_name(admin: Api, ask: Ask, value: str) -> None:
    gate = admin.as_user("bob").annotate(ask(), approve=value)
    assert answers(gate) == {"approve": value, "approved-by": "bob"}


def test_a_rejection_carries_a_name_and_a_reason(admin: Api, ask: Ask) -> None:
    gate = admin.as_user("bob").annotate(ask(), reject="rude to customers")
    assert answers(gate) == {"reject": "rude to customers", "rejected-by": "bob"}


def test_the_one_who_asked_may_still_reject(admin: Api, ask: Ask) -> None:
    assert answers(admin.as_user("alice").annotate(ask(), reject="found a bug"))["rejected-by"] == "alice"


def test_names_may_hold_commas_and_spaces(admin: Api, ask: Ask) -> None:
    gate = admin.as_user("Smith, Jane").annotate(ask(quorum=2), approve="true")
    gate = admin.as_user("bob").annotate(gate, approve="true me too")
    assert answers(gate)["approved-by"].split("\n") == ["Smith, Jane", "bob"]


def test_a_group_may_approve(admin: Api, ask: Ask) -> None:
    gate = ask()
    assert (
        answers(admin.as_user("erin", "release-managers").annotate(gate, approve="true"))["approved-by"]
        == "erin"
    )
    assert "cannot patch" in refusal(admin.as_user("erin"), gate, approve="true again")


def test_the_right_can_be_for_one_gate(admin: Api, ask: Ask) -> None:
    frank = admin.as_user("frank")
    assert answers(frank.annotate(ask(name="his-gate"), approve="true"))["approved-by"] == "frank"
    assert "frank may not approve or reject" in refusal(frank, ask(), approve="true")


def test_a_quorum_gathers_different_people(admin: Api, ask: Ask) -> None:
    gate = ask(quorum=3)
    gate = admin.as_user("bob").annotate(gate, approve="true")
    gate = admin.as_user("carol").annotate(gate, approve="true seen")
    assert answers(gate)["approved-by"] == "bob\ncarol"
    gate = admin.as_user("bob").annotate(gate, approve="true seen again")
    assert answers(gate)["approved-by"] == "bob\ncarol"
    gate = admin.as_user("erin", "release-managers").annotate(gate, approve=f"{DIGEST} last of three")
    assert answers(gate) == {"approve": f"{DIGEST} last of three", "approved-by": "bob\ncarol\nerin"}


def test_saying_the_same_again_adds_nobody(admin: Api, ask: Ask) -> None:
    gate = admin.as_user("bob").annotate(ask(quorum=2), approve="true")
    assert answers(admin.as_user("carol").annotate(gate, approve="true"))["approved-by"] == "bob"


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_withdrawal_takes_all_names_back(admin: Api, ask: Ask, nothing: str | None) -> None:
    gate = admin.as_user("bob").annotate(ask(quorum=2), approve="true")
    gate = admin.as_user("carol").annotate(gate, approve="true seen")
    assert "approved-by" not in answers(admin.as_user("carol").annotate(gate, approve=nothing))
    assert answers(admin.as_user("carol").annotate(gate, approve="true after all"))["approved-by"] == "carol"


def test_a_rejection_is_taken_back(admin: Api, ask: Ask) -> None:
    gate = admin.as_user("bob").annotate(ask(), reject="not now")
    assert answers(admin.as_user("bob").annotate(gate, reject=None)) == {}


def test_without_the_right_nobody_answers_or_withdraws(admin: Api, ask: Ask) -> None:
    gate, dave = ask(), admin.as_user("dave")
    expected = "dave may not approve or reject support-"
    assert expected in refusal(dave, gate, approve="true")
    assert "verb approve on approvalgates.agentrollouts.io in namespace test-" in refusal(
        dave, gate, reject="no"
    )
    admin.as_user("bob").annotate(gate, approve="true")
    assert expected in refusal(dave, gate, approve=None)
    assert expected in refusal(dave, gate, approve="true mine")
    assert answers(admin.get(gate)) == {"approve": "true", "approved-by": "bob"}


@pytest.mark.parametrize(
    "value", ["yes", "TRUE", OTHER_DIGEST, f"truely {DIGEST}", " true", DIGEST[:-1], "true\nx"]
)
def test_only_true_or_the_gates_digest_approves(admin: Api, ask: Ask, value: str) -> None:
    with pytest.raises(RefusedError, match=f"must be true or {DIGEST}"):
        admin.as_user("bob").annotate(ask(), approve=value)


@pytest.mark.parametrize("group", ["", "system:masters"])
def test_whoever_asked_may_not_approve_whatever_their_rights(admin: Api, ask: Ask, group: str) -> None:
    alice = admin.as_user("alice", *filter(None, [group]))
    assert "alice asked for this version and may not approve it" in refusal(alice, ask(), approve="true")
    assert "alice asked" in refusal(alice, ask(requestedBy="gitops\nalice"), approve="true")
    gate = ask(separationOfDuties=False)
    assert answers(alice.annotate(gate, approve="true"))["approved-by"] == "alice"


def test_an_administrator_has_the_right_like_any_other(admin: Api, ask: Ask) -> None:
    assert answers(admin.annotate(ask(), approve="true"))["approved-by"] == "admin"


def test_where_nobody_knows_who_asked_nobody_approves(admin: Api, ask: Ask) -> None:
    assert "nobody knows who asked for this version" in refusal(
        admin.as_user("bob"), ask(requestedBy=""), approve="true"
    )


@pytest.mark.parametrize("phase", ["Rejected", "Expired", "Closed"])
def test_a_settled_gate_takes_no_more_answers(admin: Api, ask: Ask, phase: str) -> None:
    gate = ask()
    admin.as_user("operator").patch(gate, {"status": {"phase": phase}}, subresource="status")
    with pytest.raises(RefusedError, match=f"this gate is {phase} and takes no more answers"):
        admin.as_user("bob").annotate(gate, approve="true")


def test_an_open_gate_can_be_closed_again(admin: Api, ask: Ask) -> None:
    gate = admin.as_user("bob").annotate(ask(), approve="true")
    admin.as_user("operator").patch(gate, {"status": {"phase": "Open"}}, subresource="status")
    assert answers(admin.as_user("carol").annotate(gate, approve=None)) == {}


def test_no_name_is_ever_written_by_hand(admin: Api, ask: Ask) -> None:
    bob, gate = admin.as_user("bob"), ask(quorum=2)
    never = "approved-by says who approved and is never changed by hand"
    assert never in refusal(bob, gate, approved_by="bob")
    assert "rejected-by says who rejected" in refusal(bob, gate, rejected_by="carol")
    assert answers(bob.annotate(gate, approve="true", approved_by="carol"))["approved-by"] == "bob"
    assert never in refusal(bob, gate, approved_by="bob\ncarol")
    assert never in refusal(bob, gate, approved_by=None)
    assert never in refusal(admin, gate, approved_by="carol")
    assert answers(bob.annotate(gate, approve="true x", approved_by="bob\ncarol"))["approved-by"] == "bob"


@pytest.mark.parametrize("key", ["approve", "approved-by", "reject", "rejected-by"])
def test_nobody_makes_an_answered_gate(admin: Api, home: str, key: str) -> None:
    annotations = {f"agentrollouts.io/{key}": "true"}
    place = {"metadata.namespace": home, "metadata.name": "forged", "metadata.annotations": annotations}
    with pytest.raises(RefusedError, match="an ApprovalGate is made without an answer"):
        admin.create(changed("gate", place))


def test_no_other_way_of_writing_avoids_the_policies(admin: Api, ask: Ask) -> None:
    gate, dave, bob = ask(), admin.as_user("dave"), admin.as_user("bob")
    path = f"/apis/agentrollouts.io/v1alpha1/namespaces/{gate['metadata']['namespace']}/approvalgates/{gate['metadata']['name']}"
    wanted = {"agentrollouts.io/approve": "true", "agentrollouts.io/approved-by": "carol"}
    replaced = gate | {"metadata": gate["metadata"] | {"annotations": wanted}}
    head = {key: gate[key] for key in ("apiVersion", "kind")} | {
        "metadata": {key: gate["metadata"][key] for key in ("name", "namespace")} | {"annotations": wanted}
    }
    with pytest.raises(RefusedError, match="dave may not approve"):
        dave.request("PUT", path, replaced)
    with pytest.raises(RefusedError, match="dave may not approve"):
        dave.apply(head, manager="dave")
    assert answers(bob.request("PUT", path, replaced))["approved-by"] == "bob"


def test_the_operators_own_writes_pass_and_touch_no_answer(admin: Api, ask: Ask) -> None:
    operator, gate = admin.as_user("operator"), ask()
    approval = {"approver": "bob", "digest": DIGEST, "time": "2026-11-20T10:00:00.000000Z"}
    change: dict[str, Any] = {
        "metadata": {"annotations": {"agentrollouts.io/approve": "true"}},
        "status": {"phase": "Open", "approvals": [approval]},
    }
    written = operator.patch(gate, change, subresource="status")
    assert (written["status"]["phase"], answers(written)) == ("Open", {})
    assert "cannot patch" in refusal(operator, gate, approve="true")


def test_other_annotations_are_nobodys_business(admin: Api, ask: Ask) -> None:
    assert answers(admin.as_user("dave").annotate(ask(), note="nice"))["note"] == "nice"
