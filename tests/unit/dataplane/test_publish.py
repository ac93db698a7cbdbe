"""The order of writes, against a pretended Envoy that takes files up whenever and in whatever order it
likes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.dataplane.listeners import ListenerSettings
from agentrollouts.dataplane.model import Arm, Endpoint, Key, Route
from agentrollouts.dataplane.publish import Written, next_step, recover, render
from agentrollouts.dataplane.resources import CDS, LDS, shard_names, shard_of, version_of

SETTINGS = ListenerSettings(Path("/xds"))
SERVICES = ["a", "b", "c"]
AGENTS = ["one", "two"]
PODS = [Endpoint("10.0.0.1", 8_080), Endpoint("10.0.0.2", 8_080)]


def route(agent: str, *shares: tuple[str, int], **fields: Any) -> Route:
    arms = tuple(Arm("stable", "1.0.0", service, share) for service, share in shares)
    port = fields.pop("port", 10_000 + AGENTS.index(agent))
    return Route("shop", agent, port=port, offset=0, arms=arms, **fields)


class PretendedEnvoy:
    """Runs whatever content a file had when it last took it up."""

    def __init__(self) -> None:
        self.disk: dict[str, bytes] = {}
        self.runs: dict[str, bytes] = {}

    def take_up(self, name: str) -> None:
        if name in self.disk:
            self.runs[name] = self.disk[name]
            self.check()

    def versions(self) -> dict[str, str]:
        return {name.removesuffix(".json"): version_of(body) for name, body in self.runs.items()}

    def check(self) -> None:
        """Every cluster a running route may pick has a host."""
        clusters = {item["name"]: hosts(item) for item in resources(self.runs.get(CDS))}
        for name, body in self.runs.items():
            if name.startswith("rds"):
                for picked in picks(body):
                    assert clusters.get(picked), f"{name} sends requests to {picked}; Envoy has {clusters}"


def resources(body: bytes | None) -> list[Any]:
    return json.loads(body)["resources"] if body else []


def hosts(cluster: Any) -> list[Any]:
    return [item for group in cluster["load_assignment"]["endpoints"] for item in group["lb_endpoints"]]


def picks(body: bytes) -> set[str]:
    tables = [item for table in resources(body) for host in table["virtual_hosts"] for item in host["routes"]]
    actions = [item["route"]["weighted_clusters"]["clusters"] for item in tables if "route" in item]
    return {entry["name"] for entries in actions for entry in entries}


ROUTES = st.one_of(
    st.tuples(
        st.just("route"), st.sampled_from(AGENTS), st.sampled_from(SERVICES), st.sampled_from(SERVICES)
    ),
    st.tuples(st.just("unroute"), st.sampled_from(AGENTS)),
)
PODS_OF = st.tuples(st.just("pods"), st.sampled_from(SERVICES), st.integers(0, 2))
TAKE_UP = st.tuples(
    st.just("take"), st.sampled_from([CDS, LDS, *(f"{shard_of(('shop', a))}.json" for a in AGENTS)])
)
STEP = st.tuples(st.just("step"), st.booleans())
RESTART = st.tuples(st.sampled_from(["sidecar", "look"]))


class World:
    """The sidecar's side: a world that changes, and what it has written."""

    def __init__(self) -> None:
        self.envoy = PretendedEnvoy()
        self.routes: dict[Key, Route] = {}
        self.endpoints: dict[Key, tuple[Endpoint, ...]] = {}
        self.written = Written()
        self.looked: dict[str, str] | None = None

    def step(self, *, hold: bool = False) -> bool:
        step = next_step(
            self.routes,
            self.endpoints,
            written=self.written,
            running=self.envoy.versions() if self.looked is None else self.looked,
            settings=SETTINGS,
            hold_clusters=hold,
        )
        self.looked = None
        self.envoy.disk.update(step.files)
        self.written = step.written
        return step.pending

    def act(self, action: Any) -> None:
        match action:
            case ("route", agent, first, second):
                shares = [(first, 10_000)] if first == second else [(first, 4_000), (second, 6_000)]
                self.routes["shop", agent] = route(agent, *shares)
            case ("unroute", agent):
                self.routes.pop(("shop", agent), None)
            case ("pods", service, count):
                self.endpoints["shop", service] = tuple(PODS[:count])
            case ("take", name):
                self.envoy.take_up(name)
            case ("step", hold):
                self.step(hold=hold)
            case ("look",):  # Envoy may take files up between its answer and the writes that follow from it
                self.looked = self.envoy.versions()
            case ("sidecar",):
                self.looked = None
                self.written = recover(self.envoy.disk)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(ROUTES, PODS_OF, TAKE_UP, TAKE_UP, STEP, STEP, RESTART), min_size=10, max_size=40))
def test_envoy_never_routes_to_a_cluster_it_has_not(actions):
    world = World()
    world.endpoints = {("shop", service): tuple(PODS) for service in SERVICES[:2]}
    world.routes["shop", "one"] = route("one", ("a", 4_000), ("b", 6_000))
    settle(world)
    for action in actions:
        world.act(action)
    for _ in range(20):
        for name in sorted(world.envoy.disk):
            world.envoy.take_up(name)
        if not world.step():
            break
    else:
        raise AssertionError("expected the steps to come to an end")
    live = {key: found for key, found in world.endpoints.items() if found}
    assert world.envoy.disk == render(world.routes, live, settings=SETTINGS)


def test_a_flip_between_known_versions_writes_one_route_file_at_once():
    world = World()
    world.endpoints = {("shop", "a"): tuple(PODS), ("shop", "b"): tuple(PODS)}
    world.routes["shop", "one"] = route("one", ("a", 5_000), ("b", 5_000))
    settle(world)
    world.routes["shop", "one"] = route("one", ("a", 0), ("b", 10_000))
    step = next_step(
        world.routes,
        world.endpoints,
        written=world.written,
        running=world.envoy.versions(),
        settings=SETTINGS,
    )
    assert [name for name, _ in step.files] == [f"{shard_of(('shop', 'one'))}.json"]


def settle(world: World) -> None:
    while world.step():
        for name in sorted(world.envoy.disk):
            world.envoy.take_up(name)


def test_an_undo_to_a_version_still_up_needs_no_new_cluster():
    world = World()
    world.endpoints = {("shop", "a"): tuple(PODS), ("shop", "b"): tuple(PODS)}
    world.routes["shop", "one"] = route("one", ("a", 10_000))
    settle(world)
    world.routes["shop", "one"] = route("one", ("b", 10_000))
    world.step()
    assert picks(world.envoy.disk[f"{shard_of(('shop', 'one'))}.json"]) == {"shop/b"}


def test_the_last_route_stays_while_the_first_cluster_of_the_next_one_arrives():
    world = World()
    world.endpoints = {("shop", "a"): tuple(PODS)}
    world.routes["shop", "one"] = route("one", ("a", 10_000))
    settle(world)
    world.endpoints["shop", "b"] = tuple(PODS)
    world.routes["shop", "one"] = route("one", ("b", 10_000))
    world.step()
    assert picks(world.envoy.disk[f"{shard_of(('shop', 'one'))}.json"]) == {"shop/a"}
    settle(world)
    assert picks(world.envoy.disk[f"{shard_of(('shop', 'one'))}.json"]) == {"shop/b"}


def test_without_envoy_the_files_come_to_their_end_by_themselves():
    routes = {("shop", "one"): route("one", ("a", 10_000))}
    endpoints = {("shop", "a"): tuple(PODS)}
    written = Written()
    for _ in range(5):
        step = next_step(routes, endpoints, written=written, running=None, settings=SETTINGS)
        written = step.written
    assert not step.pending
    assert written.files == render(routes, endpoints, settings=SETTINGS)


def test_a_version_that_goes_leaves_the_routes_before_its_cluster_is_emptied():
    world = World()
    world.endpoints = {("shop", "a"): tuple(PODS), ("shop", "b"): tuple(PODS)}
    world.routes["shop", "one"] = route("one", ("a", 5_000), ("b", 5_000))
    settle(world)
    world.endpoints["shop", "a"] = ()
    assert world.step()
    world.envoy.take_up(CDS)
    world.envoy.take_up(f"{shard_of(('shop', 'one'))}.json")
    assert world.step()
    world.envoy.take_up(CDS)
    assert not world.step()
    assert {item["name"]: len(hosts(item)) for item in resources(world.envoy.runs[CDS])} == {
        "shop/a": 0,
        "shop/b": 2,
    }


def test_a_recovered_folder_is_what_was_written():
    world = World()
    world.endpoints = {("shop", "a"): tuple(PODS)}
    world.routes["shop", "one"] = route("one", ("a", 10_000))
    settle(world)
    again = recover(world.envoy.disk)
    assert (again.files, again.clusters, again.confirmed) == (
        world.written.files,
        world.written.clusters,
        world.written.confirmed,
    )
    assert recover({}) == Written()


def test_two_routes_on_one_port_give_one_listener():
    routes = {("shop", agent): route(agent, ("a", 10_000), port=10_001) for agent in AGENTS}
    files = render(routes, {}, settings=SETTINGS)
    assert [item["name"] for item in resources(files[LDS])] == ["shop/one"]


def test_the_number_of_files_does_not_grow_with_the_agents():
    arms = route("one", ("a", 10_000)).arms
    many = {("shop", f"a{number}"): Route("shop", f"a{number}", number, 0, arms) for number in range(1, 300)}
    shards = {f"{name}.json" for name in shard_names()}
    assert set(render(many, {}, settings=SETTINGS)) == {CDS, LDS, *shards}


def test_a_new_sidecar_drops_no_arm_because_envoy_is_behind_with_the_clusters():
    world = World()
    world.endpoints = {("shop", "a"): tuple(PODS)}
    world.routes["shop", "one"] = route("one", ("a", 10_000))
    settle(world)
    world.endpoints["shop", "a"] = tuple(PODS[:1])
    world.step()
    world.act(("sidecar",))
    world.step()
    assert picks(world.envoy.disk[f"{shard_of(('shop', 'one'))}.json"]) == {"shop/a"}


def test_a_cluster_taken_away_is_unconfirmed_even_if_envoy_was_last_seen_with_it():
    world = World()
    world.endpoints = {("shop", "a"): tuple(PODS), ("shop", "b"): tuple(PODS)}
    world.routes["shop", "one"] = route("one", ("a", 10_000))
    settle(world)
    world.endpoints["shop", "b"] = ()
    world.step()
    world.act(("look",))
    world.envoy.take_up(CDS)
    world.endpoints["shop", "b"] = tuple(PODS)
    world.routes["shop", "one"] = route("one", ("a", 4_000), ("b", 6_000))
    world.step()
    assert picks(world.envoy.disk[f"{shard_of(('shop', 'one'))}.json"]) == {"shop/a"}
    settle(world)
    assert picks(world.envoy.disk[f"{shard_of(('shop', 'one'))}.json"]) == {"shop/a", "shop/b"}
