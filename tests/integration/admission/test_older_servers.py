"""Approval where the server can't stamp: whoever answers writes her own name, and the server compares it."""

from __future__ import annotations

import pytest

from tests.integration.admission.conftest import Ask
from tests.integration.admission.test_stamping import answers, refusal
from tests.integration.api import Api, RefusedError
from tests.integration.crds.examples import changed

pytestmark = pytest.mark.usefixtures("older")


def test_a_bare_approval_is_told_what_to_type(admin: Api, ask: Ask) -> None:
    gate, bob = ask(), admin.as_user("bob")
    words = refusal(bob, gate, approve="true fine")
    name, namespace = gate["metadata"]["name"], gate["metadata"]["namespace"]
    assert (
        f"kubectl annotate --overwrite approvalgate {name} -n {namespace}"
        " 'agentrollouts.io/approve=true fine' $'agentrollouts.io/approved-by=bob'" in words
    )
    assert answers(bob.annotate(gate, approve="true fine", approved_by="bob"))["approved-by"] == "bob"


@pytest.mark.parametrize("name", ["carol", "bob\ncarol", "carol\nbob", "bob ", "Bob", ""])
def test_no_other_name_is_accepted(admin: Api, ask: Ask, name: str) -> None:
    assert "an approval must carry your name" in refusal(
        admin.as_user("bob"), ask(quorum=2), approve="true", approved_by=name
    )


def test_a_quorum_gathers_different_people(admin: Api, ask: Ask) -> None:
    gate = admin.as_user("bob").annotate(ask(quorum=2), approve="true", approved_by="bob")
    carol = admin.as_user("carol")
    assert r"$'agentrollouts.io/approved-by=bob\ncarol'" in refusal(carol, gate, approve="true seen")
    assert "must carry your name" in refusal(carol, gate, approve="true seen", approved_by="carol")
    gate = carol.annotate(gate, approve="true seen", approved_by="bob\ncarol")


def test_a_withdrawal_removes_the_names_too(admin: Api, ask: Ask) -> None:
    bob = admin.as_user("bob")
    gate = bob.annotate(ask(), approve="true", approved_by="bob")
    assert "remove agentrollouts.io/approved-by together with" in refusal(bob, gate, approve=None)
    assert "never changed by hand" in refusal(bob, gate, approved_by=None)
    assert answers(bob.annotate(gate, approve=None, approved_by=None)) == {}


def test_a_rejection_carries_its_name(admin: Api, ask: Ask) -> None:
    gate, bob = ask(), admin.as_user("bob")
    assert "add 'agentrollouts.io/rejected-by=bob'" in refusal(bob, gate, reject="no")
    gate = bob.annotate(gate, reject="no", rejected_by="bob")
    assert answers(gate) == {"reject": "no", "rejected-by": "bob"}
    assert "remove agentrollouts.io/rejected-by together" in refusal(bob, gate, reject=None)


def test_the_other_rules_hold_as_well(admin: Api, ask: Ask) -> None:
    gate = ask()
    assert "dave may not approve" in refusal(admin.as_user("dave"), gate, approve="true", approved_by="dave")
    assert "alice asked for this version" in refusal(
        admin.as_user("alice"), gate, approve="true", approved_by="alice"
    )
    with pytest.raises(RefusedError, match="must be true or sha256:"):
        admin.as_user("bob").annotate(gate, approve="yes", approved_by="bob")


def test_a_version_may_be_asked_for_with_ones_own_name_or_none(admin: Api, home: str) -> None:
    alice, bob = admin.as_user("alice"), admin.as_user("bob")
    place = {"metadata.namespace": home}
    forged = changed("rollout", place | {"metadata.annotations": {"agentrollouts.io/requested-by": "bob"}})
    with pytest.raises(RefusedError, match="write alice or leave it out, not bob"):
        alice.create(forged)
    assert answers(bob.create(forged))["requested-by"] == "bob"
    with pytest.raises(RefusedError, match="write alice or leave it out, not bob"):
        alice.patch(forged, {"spec": {"version": "2.0.0"}})
    assert "changes only together" in refusal(alice, forged, requested_by=None)
    own = {
        "metadata": {"annotations": {"agentrollouts.io/requested-by": "alice"}},
        "spec": {"version": "2.0.0"},
    }
    assert answers(alice.patch(forged, own))["requested-by"] == "alice"
    none = {
        "metadata": {"annotations": {"agentrollouts.io/requested-by": None}},
        "spec": {"version": "3.0.0"},
    }
    assert answers(bob.patch(forged, none)) == {}
    admin.delete(forged)
