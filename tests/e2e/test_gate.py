"""Who may open a gate, for what, and for how long; and what it says to whoever is asked."""

from __future__ import annotations

from typing import Any

import pytest

from agent_load import Ledger, outcomes
from hack.demo import manifests
from hack.demo.kubectl import Kubectl, KubectlError
from hack.demo.measure import read_ledger
from tests.e2e import faults
from tests.e2e.conftest import MakeSpace
from tests.e2e.space import Space, poll

BOB = "bob"


def _half(soak: str) -> dict[str, Any]:
    return {"steps": [{"share": "50%", "soak": soak}]}


def _waits(status: dict[str, Any]) -> bool:
    return status.get("phase") == "AwaitingApproval"


def _bob_approves_and_proposes(space: Space) -> None:
    """Somebody who may both ask for a version and approve one."""
    rules = [
        {"apiGroups": ["agentrollouts.io"], "resources": ["rollouts"], "verbs": ["get", "patch"]},
        {"apiGroups": ["agentrollouts.io"], "resources": ["approvalgates"], "verbs": ["get", "patch", "approve"]},
    ]  # fmt: skip
    rbac = "rbac.authorization.k8s.io"
    space.kubectl.apply(
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": BOB}, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": {"name": BOB},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": BOB},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": BOB}],
        },
    )  # fmt: skip


def _refused(space: Space, semver: str, answer: str, *, user: str, because: str) -> None:
    with pytest.raises(KubectlError, match=because):
        space.approve(semver, answer, user=user)


def _evidence_is_true(gate: dict[str, Any], before: Ledger, after: Ledger) -> None:
    """At least what was finished some seconds before the gate was made, and at most what was finished when it was read."""
    rows = {row["cohort"]: row["tasks"] for row in gate["spec"]["evidence"]}

    def tasks(ledger: Ledger, cohort: str) -> int:
        return sum(n for (_, c, outcome), n in outcomes(ledger).items() if c == cohort and outcome != "none")

    for cohort in ("candidate", "control"):
        assert tasks(before, cohort) <= rows[cohort] <= tasks(after, cohort), (cohort, rows)


def test_nothing_opens_a_gate_but_the_right_person_for_this_artifact(
    make_space: MakeSpace, system: Kubectl
) -> None:
    space = make_space("e2e-gate")
    space.first(strategy=_half("10m"))
    _bob_approves_and_proposes(space)
    space.users(rate=20)
    space.kubectl.apply(manifests.version("2.0.0"))
    space.kubectl.run(
        "patch", "rollout", "support", "--type=merge", "-p", '{"spec":{"version":"2.0.0"}}', f"--as={BOB}"
    )
    space.until("a share", lambda s: (s.get("candidate") or {}).get("share") == 5_000)
    before = read_ledger(space.kubectl)

    _nothing_moves_without_evidence(space, system)
    space.until("the gate", _waits, seconds=60)
    gate = space.gate("2.0.0")
    _evidence_is_true(gate, before, read_ledger(space.kubectl))
    assert {line.partition(":")[0] for line in gate["spec"]["changes"]} == {"model", "prompts"}
    assert gate["spec"]["requestedBy"] == BOB

    _refused(space, "2.0.0", "true", user=manifests.BYSTANDER, because="may not approve or reject")
    _refused(space, "2.0.0", "true", user=BOB, because="asked for this version and may not approve it")
    other = "sha256:" + "0" * 64
    _refused(space, "2.0.0", other, user=manifests.APPROVER, because="this gate is for that artifact")
    _withdrawn_in_time(space)

    space.approve("2.0.0", "true looks good")
    status = space.until("the promotion", lambda s: s["stable"]["version"] == "2.0.0", seconds=30)
    record = status["history"][-1]["approvals"][0]
    assert (record["approver"], record["comment"]) == (manifests.APPROVER, "looks good")
    assert record["digest"] == status["stable"]["digest"]
    assert record["verified"]

    _next_candidate_needs_its_own(space)
    space.counts_are_true(space.leave())


def _nothing_moves_without_evidence(space: Space, system: Kubectl) -> None:
    """The soak ends while Prometheus can't be reached: neither a step up nor a rollback, and no gate."""

    def blind(status: dict[str, Any]) -> bool:
        return (status.get("decision") or {}).get("reason") == "NoEvidence"

    with faults.no_prometheus(system):
        faults.kill_leader(system)
        space.until("a hold", blind, seconds=45)
        space.change(strategy=_half("1s"))
        generation = (space.kubectl.get("rollout", manifests.AGENT) or {})["metadata"]["generation"]
        held = space.until("the shorter soak is known", lambda s: s["observedGeneration"] == generation)
        assert blind(held)
        assert (held["decision"]["action"], held["phase"]) == ("Hold", "Progressing")
        assert held["candidate"]["share"] == 5_000
        assert not space.kubectl.list("approvalgates")


def _withdrawn_in_time(space: Space) -> None:
    """An approval taken back while the rollout is paused is none; another may be given afterwards."""
    space.change(paused=True)
    space.until("the pause", lambda s: s.get("phase") == "Paused")
    space.approve("2.0.0")
    poll(
        lambda: space.gate("2.0.0")["status"]["phase"], lambda phase: phase == "Open", name="open", seconds=20
    )
    name = space.gate("2.0.0")["metadata"]["name"]
    space.kubectl.annotate("approvalgate", name, "agentrollouts.io/approve-", user=manifests.APPROVER)
    poll(
        lambda: space.gate("2.0.0")["status"]["phase"],
        lambda phase: phase == "Withdrawn",
        name="withdrawn",
        seconds=20,
    )
    space.change(paused=False)
    status = space.until("the wait goes on", _waits, seconds=20)
    assert status["stable"]["version"] == "1.0.0"


def _next_candidate_needs_its_own(space: Space) -> None:
    """The answer given for the last candidate opens nothing for this one, and a no is a rollback."""
    space.propose(
        "2.2.0", analysis={"interval": "1s", "checks": [{"name": "broken", "failureRate": {"max": "90%"}}]}
    )
    space.until("the next gate", _waits, seconds=90)
    gate = space.gate("2.2.0")
    assert not gate.get("status", {}).get("approvals")
    name = gate["metadata"]["name"]
    space.kubectl.annotate("approvalgate", name, "agentrollouts.io/reject=too dear", user=manifests.APPROVER)
    status = space.until(
        "the rollback", lambda s: (s.get("rejected") or {}).get("version") == "2.2.0", seconds=20
    )
    assert status["rejected"]["reason"] == "GateRejected"
    assert "too dear" in status["rejected"]["message"]
    assert status["stable"]["version"] == "2.0.0"
