"""Operator, router and Prometheus are killed in the middle of a rollout: no share is wrong, and nothing counted is lost."""

from __future__ import annotations

import time
from itertools import accumulate
from typing import Any

from agent_load import Ledger, misanswered, routing_errors
from agent_load.row import Row
from hack.demo.kubectl import Kubectl
from hack.demo.measure import read_ledger
from tests.e2e import faults
from tests.e2e.conftest import MakeSpace
from tests.e2e.moves import unexplained_moves
from tests.e2e.space import Space, poll

STEPS = {
    "steps": [
        {"share": "10%", "soak": "8s"},
        {"share": "30%", "soak": "8s"},
        {"share": "50%", "soak": "8s"},
    ]
}
ROUTERS = f"{faults.COMPONENT}=router,app.kubernetes.io/instance=agent-rollouts"
MEASURERS = f"{faults.COMPONENT}=prometheus,app.kubernetes.io/instance=agent-rollouts"
NOTICED = 5.0
"""Seconds after the kill of a router's processes in which callers may still be sent to it."""


def _ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _kill_router(system: Kubectl) -> tuple[float, float]:
    """All processes of one of the two; the stretch of time in which its callers may notice, once both serve again."""
    victim = faults.pods(system, ROUTERS)[0]["metadata"]["name"]
    before = {name: faults.restarts(system, victim, name)[0] for name in ("envoy", "xds")}
    began = time.time()
    for container in before:
        faults.kill_container(system, victim, container)

    def again() -> bool:
        return all(faults.restarts(system, victim, name) == (n + 1, True) for name, n in before.items())

    poll(again, bool, name=f"{victim} is back", seconds=90)
    poll(
        lambda: [_ready(pod) for pod in faults.pods(system, ROUTERS)],
        lambda ready: ready == [True, True],
        name="two routers again",
        seconds=90,
    )
    return began, began + NOTICED


def _share(share: int) -> Any:
    return lambda status: ((status.get("candidate") or {}).get("share") or 0) >= share


def test_a_rollout_survives_kills_of_its_operator(make_space: MakeSpace, system: Kubectl) -> None:
    space = make_space("e2e-operator")
    space.first(strategy=STEPS)
    space.users()
    space.propose("2.0.0")
    space.until("the candidate is there", lambda s: s.get("candidate"))
    faults.kill_leader(system)  # before the first share
    space.until("the first share", _share(1_000))
    faults.kill_leader(system)  # in the middle of a soak
    space.until("the gate", lambda s: s.get("phase") == "AwaitingApproval", seconds=150)
    space.approve("2.0.0")
    faults.kill_leader(system)  # somewhere around the promotion
    status = space.until("the promotion", lambda s: s["stable"]["version"] == "2.0.0", seconds=90)

    assert [entry["outcome"] for entry in status["history"]] == ["Installed", "Promoted"]
    assert [record["approver"] for record in status["history"][1]["approvals"]] == ["alice"]
    climb = [share for share in space.shares("2.0.0") if share]
    assert climb == [1_000, 3_000, 5_000], "each share once, in order: no step lost, repeated or invented"
    ledger = space.leave()
    assert not routing_errors(ledger)
    assert not misanswered(ledger)
    assert not unexplained_moves(ledger, space.history.changes)
    space.counts_are_true(ledger)
    _undo(space)


def _undo(space: Space) -> None:
    """The version before is warm at its full size, and serves again as soon as it is asked to."""
    warm = space.kubectl.get("deployment", "support-1-0-0")
    assert warm is not None
    assert (warm["spec"]["replicas"], warm["status"]["readyReplicas"]) == (2, 2)
    space.request("undo", "back")
    space.until("the undo", lambda s: s["stable"]["version"] == "1.0.0", seconds=20)
    assert space.history.changes[-1].after == {("stable", "1.0.0"): 10_000}
    sizes = space.replicas["support-1-0-0"]
    assert all(size == (2, 2) for size in sizes[sizes.index((2, 2)) :])


def test_a_rollout_goes_on_after_a_kill_of_prometheus(make_space: MakeSpace, system: Kubectl) -> None:
    space = make_space("e2e-prometheus")
    space.first(strategy=STEPS)
    space.users()
    space.propose("2.0.0")
    space.until("the first share", _share(1_000))
    space.met("2.0.0")
    pod = faults.pods(system, MEASURERS)[0]["metadata"]["name"]
    before, _ = faults.restarts(system, pod, "prometheus")
    faults.kill_container(system, pod, "prometheus")
    poll(
        lambda: faults.restarts(system, pod, "prometheus"),
        lambda seen: seen == (before + 1, True),
        name="Prometheus is back",
        seconds=90,
    )
    space.until("the gate", lambda s: s.get("phase") == "AwaitingApproval", seconds=150)
    evidence = {row["cohort"]: row["tasks"] for row in space.gate("2.0.0")["spec"]["evidence"]}
    space.approve("2.0.0")
    space.until("the promotion", lambda s: s["stable"]["version"] == "2.0.0", seconds=30)

    assert [share for share in space.shares("2.0.0") if share] == [1_000, 3_000, 5_000]
    ledger = space.leave()
    assert not routing_errors(ledger)
    assert not unexplained_moves(ledger, space.history.changes)
    space.counts_are_true(ledger)
    asked = space.history.decided("Advance", "2.0.0")
    assert asked is not None
    seen = sum(row.cohort == "candidate" and row.done <= asked for row in ledger.rows())
    assert seen <= evidence["candidate"], "what was counted before the kill counts for the approver, too"


def _running(ledger: Ledger, moment: float) -> list[Row]:
    return [row for row in ledger.rows() if row.sent <= moment <= row.done]


def test_a_killed_router_takes_only_what_it_was_carrying(make_space: MakeSpace, system: Kubectl) -> None:
    space = make_space("e2e-router")
    space.first(strategy={"steps": [{"share": "30%", "soak": "10m"}]})
    space.users("--sse", "0.3", "--sse-chunks", "20", "--sse-interval", "0.05")
    space.propose("2.0.0")
    space.until("a share", _share(3_000))
    seen = len(space.history.changes)
    began, ended = _kill_router(system)
    poll(
        lambda: sum(row.sent > ended and row.verdict == "right" for row in read_ledger(space.kubectl).rows()),
        lambda answers: answers >= 30,
        name="answers after the loss",
        seconds=30,
    )

    ledger = space.leave()
    errors = routing_errors(ledger)
    assert all(began <= row.done and row.sent <= ended for row in errors), [row.to_json() for row in errors]
    assert not [row for row in errors if row.status in (502, 503, 504)], "no router may answer for a lost one"
    assert not misanswered(ledger)
    assert not unexplained_moves(ledger, space.history.changes)
    assert len(space.history.changes) == seen
    # A request of the moment, or a connection that stood open between two requests, each breaks at most once. A new
    # connection may be sent to it until the cluster has noticed that it is gone.
    broke = [row for row in errors if row.error != "connect"]
    assert len(broke) <= max(_open_at_once(ledger, began), 1), [row.to_json() for row in broke]
    running = len(_running(ledger, began))
    print(f"router killed: {len(broke)} broke of {running} running, {len(errors) - len(broke)} not let in")


def _open_at_once(ledger: Ledger, until: float) -> int:
    """The most requests that ran at one time before a moment: so many connections can stand open."""
    steps = sorted(
        step for row in ledger.rows() if row.sent <= until for step in ((row.sent, 1), (row.done, -1))
    )
    return max(accumulate(change for _, change in steps), default=0)
