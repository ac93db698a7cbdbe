"""What each verb writes, and when it says no instead."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.cli.answer import approval
from agentrollouts.cli.app import verb_first
from agentrollouts.cli.errors import CommandError, error_about
from agentrollouts.cli.status import standing
from agentrollouts.cli.steer import aborting, pausing, resuming, retrying, undoing
from agentrollouts.ports import GoneError, TerminalError, TransientError
from tests.unit.cli.scenes import GATE, HEALTHY, NEW, NOW, ROLLED_BACK, STABLE, WAITING, rollout, scene

TOKEN = "2026-01-05T12:00:00.000000Z"


def asked(request: Any, item: dict[str, Any], **more: Any) -> dict[str, str | None]:
    status = RolloutStatus.model_validate(item.get("status") or {})
    annotations, effect = request(item, status, NOW, **more)
    assert effect
    return dict(annotations)


def test_each_request_is_an_annotation() -> None:
    assert asked(pausing, WAITING) == {"paused": "true"}
    assert asked(resuming, WAITING) == {"paused": None, "resume": TOKEN}
    assert asked(aborting, WAITING, reason="wrong answers") == {"abort": f"{TOKEN} wrong answers"}
    assert asked(retrying, ROLLED_BACK) == {"retry": TOKEN}
    assert asked(undoing, HEALTHY) == {"undo": TOKEN}


def test_what_came_to_no_verdict_before_traffic_can_be_tried_again() -> None:
    proof = {"name": "golden", "kind": "eval", "terms": "1", "verdict": "INVALID"}
    candidate = {**WAITING["status"]["candidate"], "proofs": [proof]}
    item = rollout({**WAITING["status"], "candidate": candidate})
    assert asked(retrying, item) == {"retry": TOKEN}
    proof["verdict"] = "PENDING"
    with pytest.raises(CommandError, match="nothing to retry"):
        asked(retrying, item)


def test_a_long_reason_fits_into_the_status_that_remembers_it() -> None:
    value = asked(aborting, WAITING, reason="x" * 500)["abort"]
    assert value is not None
    assert len(value) == 256


@pytest.mark.parametrize(
    ("request_", "item", "words"),
    [
        (resuming, {**WAITING, "spec": {**WAITING["spec"], "paused": True}}, "set spec.paused to false"),
        (retrying, HEALTHY, "nothing to retry: 2.0.0"),
        (retrying, rollout(ROLLED_BACK["status"], version="3.0.0"), "nothing to retry: 3.0.0"),
        (undoing, WAITING, "has no previous version"),
        (
            undoing,
            rollout({"previous": {"version": "0.9.0", "digest": NEW, "warmUntil": "2026-01-05T11:59:59Z"}}),
            "0.9.0 is no longer warm; to go back to it, set spec.version to 0.9.0",
        ),
    ],
)
def test_a_request_without_effect_is_refused(request_: Any, item: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        asked(request_, item)


def test_there_must_be_something_to_abort() -> None:
    with pytest.raises(CommandError, match=r"nothing to abort: support has no candidate, 2\.0\.0 serves"):
        asked(aborting, HEALTHY, reason="")


def gate(**annotations: str) -> dict[str, Any]:
    written = {f"agentrollouts.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {**GATE, "metadata": {**GATE["metadata"], "annotations": written}}


def test_an_approval_names_the_artifact() -> None:
    assert approval(gate(), user="carol", comment="good") == {
        "approve": f"{NEW} good",
        "approved-by": "carol",
    }


def test_a_second_approval_is_a_change_even_without_a_comment() -> None:
    first = gate(approve=NEW, approved_by="bob")
    assert approval(first, user="carol", comment="") == {
        "approve": f"{NEW} (approval 2)",
        "approved-by": "bob\ncarol",
    }


def test_a_withdrawn_approval_does_not_count() -> None:
    assert approval(gate(approved_by="bob"), user="carol", comment="")["approved-by"] == "carol"


def test_approving_twice_changes_nothing() -> None:
    with pytest.raises(
        CommandError, match=r"bob has approved support-2\.0\.0-1 already; it needs 1 more from somebody else"
    ):
        approval(gate(approve=NEW, approved_by="bob"), user="bob", comment="")


def test_a_server_that_tells_no_name_gets_none() -> None:
    assert approval(gate(), user="", comment="") == {"approve": NEW}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (HEALTHY, "healthy"),
        (ROLLED_BACK, "failed"),
        (WAITING, "unfinished"),
        (rollout(), "unfinished"),
        (rollout({"phase": "Degraded"}), "failed"),
        # The operator hasn't seen the newest spec: neither its success nor its failure is about that.
        (rollout({**HEALTHY["status"], "observedGeneration": 2}), "unfinished"),
        (rollout({**ROLLED_BACK["status"], "observedGeneration": 2}), "unfinished"),
        (rollout({"phase": "Healthy", "stable": STABLE}), "unfinished"),
        (rollout({"phase": "Healthy", "stable": STABLE}, strategy={"manual": {"shares": []}}), "healthy"),
    ],
)
def test_how_a_rollout_stands(item: dict[str, Any], expected: str) -> None:
    assert standing(scene(item)) == expected


def test_a_policy_speaks_for_itself() -> None:
    error = TerminalError(
        'PATCH /apis/x: 422 approvalgates.agentrollouts.io "g" is forbidden: ValidatingAdmissionPolicy'
        " 'a-approvalgates' with binding 'a-approvalgates' denied request: dave may not approve"
    )
    assert str(error_about(error)) == "dave may not approve"


def test_rbac_names_the_verb_that_is_missing() -> None:
    error = TerminalError(
        'PATCH /apis/x: 403 rollouts.agentrollouts.io "support" is forbidden: User "eve" cannot patch resource'
        ' "rollouts" in API group "agentrollouts.io" in the namespace "shop"'
    )
    assert str(error_about(error)) == (
        "eve may not patch rollouts.agentrollouts.io in namespace shop; ask for the RBAC verb patch on it"
        " (the ClusterRole edit has it)"
    )


def test_an_old_cluster_and_no_cluster_get_a_hint() -> None:
    assert "install the chart first" in str(error_about(GoneError("GET /apis/x: 404 page not found\n")))
    lost = error_about(TransientError("GET /apis/x: API server not reachable: refused"))
    assert lost.passing
    assert (
        str(lost) == "API server not reachable: refused. Is the cluster there, and is this the right context?"
    )


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ([], []),
        (["get", "a", "-n", "b"], ["get", "a", "-n", "b"]),
        (["-n", "b", "get", "a", "-w"], ["get", "-n", "b", "a", "-w"]),
        (["--context=x", "--namespace", "b", "list"], ["list", "--context=x", "--namespace", "b"]),
        (["-n"], ["-n"]),
        (["--help"], ["--help"]),
    ],
)
def test_options_may_stand_before_the_verb(given: list[str], understood: list[str]) -> None:
    assert verb_first(given) == understood
