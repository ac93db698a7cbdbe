from __future__ import annotations

import copy
from typing import Any

import pytest

from agentrollouts.ports import Key
from agentrollouts.runtime.portbook import NoPortError, PortBook
from agentrollouts.runtime.store import Store
from agentrollouts.runtime.views import Place
from tests.fakes.stage import agent_version, rollout

PLACE = Place("shop", "support")
ROLLOUT, VERSION = Key("Rollout", "shop", "support"), Key("AgentVersion", "shop", "support-1.0.0")


class Listening:
    """A store, and the keys it woke since it was last asked."""

    def __init__(self) -> None:
        self._woken: set[Key] = set()
        self.time = 0.0
        self.store = Store(self._woken.add, monotonic=lambda: self.time)

    def woken(self) -> set[Key]:
        found = set(self._woken)
        self._woken.clear()
        return found

    def see(
        self, resource: Any, body: dict[str, Any], version: int, *, kind: str = "MODIFIED", **meta: Any
    ) -> set[Key]:
        body = copy.deepcopy(body)
        body["metadata"] |= {"uid": "u", "generation": 1, "resourceVersion": str(version)} | meta
        self.store.observe(resource, kind, body)
        return self.woken()


@pytest.fixture
def known() -> Listening:
    listening = Listening()
    listening.see("rollouts", rollout("1.0.0"), 1)
    listening.see("agentversions", agent_version("1.0.0", "a"), 2)
    return listening


def test_a_new_generation_wakes_and_the_same_one_does_not(known: Listening) -> None:
    assert known.see("rollouts", rollout("1.0.0"), 3) == set()
    assert known.see("rollouts", rollout("2.0.0"), 4, generation=2) == {ROLLOUT, VERSION}


def test_a_request_wakes(known: Listening) -> None:
    notes = {"agentrollouts.io/abort": "1"}
    assert ROLLOUT in known.see("rollouts", rollout("1.0.0"), 3, annotations=notes)
    assert known.see("rollouts", rollout("1.0.0"), 4, annotations=notes | {"other": "x"}) == set()


def test_our_own_status_wakes_nobody_when_it_comes_back(known: Listening) -> None:
    status = known.store.rollouts.items[PLACE].status.model_copy(update={"message": "ours"})
    known.store.wrote_rollout(PLACE, status)
    assert known.woken() == {VERSION}, "its role may be another"
    body = rollout("1.0.0") | {"status": status.model_dump(mode="json", by_alias=True)}
    assert known.see("rollouts", body, 3) == set()
    assert known.see("rollouts", body | {"status": {"message": "theirs"}}, 4) == {ROLLOUT, VERSION}


def test_an_older_status_does_not_replace_the_one_we_wrote(known: Listening) -> None:
    status = known.store.rollouts.items[PLACE].status.model_copy(update={"message": "ours"})
    known.store.wrote_rollout(PLACE, status)
    late = rollout("1.0.0") | {"status": {"message": "older"}}
    known.see("rollouts", late, 3, annotations={"agentrollouts.io/abort": "1"})
    item = known.store.rollouts.items[PLACE]
    assert (item.status.message, item.requests.abort) == ("ours", "1")


def test_a_status_that_never_comes_back_is_given_up(known: Listening) -> None:
    status = known.store.rollouts.items[PLACE].status.model_copy(update={"message": "ours"})
    known.store.wrote_rollout(PLACE, status)
    known.time += 61
    known.see("rollouts", rollout("1.0.0") | {"status": {"message": "theirs"}}, 3)
    assert known.store.rollouts.items[PLACE].status.message == "theirs"


def test_events_out_of_order_are_ignored(known: Listening) -> None:
    known.see("rollouts", rollout("3.0.0"), 30, generation=3)
    assert known.see("rollouts", rollout("2.0.0"), 20, generation=2) == set()
    spec = known.store.rollouts.items[PLACE].spec
    assert spec is not None
    assert spec.version == "3.0.0"


def test_the_deletion_of_an_earlier_object_of_that_name_is_ignored(known: Listening) -> None:
    known.see("rollouts", rollout("1.0.0"), 40, uid="new")
    assert known.see("rollouts", rollout("1.0.0"), 39, kind="DELETED", uid="u") == set()
    assert PLACE in known.store.rollouts.items


def route_of(version: str = "1.0.0", port: int = 12_000) -> dict[str, Any]:
    arm = {"cohort": "stable", "version": version, "service": "s", "share": 10_000}
    spec = {"agent": "support", "port": port, "arms": [arm]}
    return {"kind": "AgentRoute", "metadata": {"name": "support", "namespace": "shop"}, "spec": spec}


def test_a_route_somebody_else_changed_wakes_and_ours_does_not(known: Listening) -> None:
    assert known.see("agentroutes", route_of(), 5) == {ROLLOUT, VERSION}
    spec = known.store.routes.items[PLACE].spec
    assert spec is not None
    ours = spec.model_copy(update={"epoch": 7})
    known.store.wrote_route(PLACE, ours, over="5")
    known.woken()
    assert known.store.routes.items[PLACE].unconfirmed
    body = route_of()
    body["spec"]["epoch"] = 7
    assert known.see("agentroutes", body, 6) == set()
    assert not known.store.routes.items[PLACE].unconfirmed
    assert ROLLOUT in known.see("agentroutes", route_of(), 7)


def test_a_watch_faster_than_the_answer_is_not_undone_by_it(known: Listening) -> None:
    known.see("agentroutes", route_of(), 5)
    known.see("agentroutes", route_of("2.0.0"), 6)
    spec = known.store.routes.items[PLACE].spec
    assert spec is not None
    known.store.wrote_route(PLACE, spec, over="5")
    item = known.store.routes.items[PLACE]
    assert (item.unconfirmed, item.meta.resource_version) == (False, "6")


def pod(ready: bool, restarts: int = 0) -> dict[str, Any]:
    labels = {"agentrollouts.io/agent": "support", "agentrollouts.io/version": "1.0.0"}
    return {
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "shop", "labels": labels},
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


def test_pods_wake_only_when_the_workload_is_another(known: Listening) -> None:
    labels = {"agentrollouts.io/agent": "support", "agentrollouts.io/version": "1.0.0"}
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "support-1-0-0", "namespace": "shop", "labels": labels},
        "spec": {"replicas": 1},
        "status": {"readyReplicas": 1, "observedGeneration": 1},
    }
    assert known.see("deployments", deployment, 5) == {ROLLOUT, VERSION}
    assert known.see("deployments", deployment, 6) == set()
    assert known.see("pods", pod(True), 7, labels=labels) == set()
    assert known.see("pods", pod(True, restarts=1), 8, labels=labels) == {ROLLOUT, VERSION}


@pytest.mark.parametrize(
    "body", [{}, {"metadata": {}}, {"metadata": {"name": "x"}, "spec": None}, {"metadata": None}]
)
@pytest.mark.parametrize(
    "resource", ["rollouts", "agentversions", "approvalgates", "agentroutes", "deployments", "pods"]
)
def test_what_is_no_object_at_all_does_no_harm(known: Listening, resource: Any, body: dict[str, Any]) -> None:
    known.store.observe(resource, "ADDED", body)
    assert known.store.rollouts.items[PLACE].problem == ""


def test_an_object_that_cannot_be_parsed_is_kept_with_the_reason(known: Listening) -> None:
    body = rollout("1.0.0")
    body["spec"]["analysis"] = {"interval": "soon"}
    known.see("rollouts", body, 9, generation=2)
    item = known.store.rollouts.items[PLACE]
    assert item.spec is None
    assert item.problem.startswith("spec.analysis.interval: Value error, expected a duration such as 90s")


def test_a_sweep_removes_what_is_gone_and_nothing_that_came_meanwhile(known: Listening) -> None:
    before = known.store.versions_of("agentversions")
    known.see("agentversions", agent_version("2.0.0", "b"), 9)
    assert known.store.sweep("agentversions", before, []) == 1
    assert list(known.store.versions.items) == [Place("shop", "support-2.0.0")]
    assert known.woken() == {VERSION, ROLLOUT}


def test_a_sweep_mends_what_a_watch_missed(known: Listening) -> None:
    before = known.store.versions_of("rollouts")
    body = rollout("2.0.0")
    body["metadata"] |= {"uid": "u", "generation": 2, "resourceVersion": "50"}
    assert known.store.sweep("rollouts", before, [body]) == 1
    assert ROLLOUT in known.woken()


def test_ports_are_unique_and_stable() -> None:
    book = PortBook()
    places = [Place("shop", f"agent-{number}") for number in range(3000)]
    ports = [book.reserve(place) for place in places]
    assert len(set(ports)) == 3000
    assert [book.reserve(place) for place in places] == ports
    again = PortBook()
    assert again.reserve(places[0]) == ports[0]
    again.seen(Place("other", "agent"), ports[0])
    book.free(places[1])
    assert book.reserve(places[1]) == ports[1]


def test_when_no_port_is_left_it_says_so() -> None:
    book = PortBook()
    for number in range(10_000):
        book.seen(Place("shop", str(number)), 10_000 + number)
    with pytest.raises(NoPortError, match="all 10000 listener ports are taken"):
        book.reserve(PLACE)
