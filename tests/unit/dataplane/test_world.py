"""What the sidecar believes of what it hears."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.dataplane.model import Endpoint
from agentrollouts.dataplane.telemetry import Telemetry
from agentrollouts.dataplane.world import World


@pytest.fixture
def telemetry():
    return Telemetry(config_age=lambda: 0.0)


@pytest.fixture
def world(telemetry):
    return World(telemetry, lambda: 5.0)


def a_route(
    epoch: int, *, port: int = 10_000, uid: str = "1", namespace: str = "shop", share: int = 10_000
) -> dict[str, Any]:
    arms = [{"cohort": "stable", "version": "1.0.0", "service": "s", "share": share}]
    meta = {"namespace": namespace, "name": "support", "uid": uid}
    return {"metadata": meta, "spec": {"port": port, "arms": arms, "epoch": epoch}}


def a_slice(name: str, *addresses: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "shop", "name": name, "labels": {"kubernetes.io/service-name": "s"}},
        "ports": [{"name": "http", "port": 8_080}],
        "endpoints": [{"addresses": [address]} for address in addresses],
    }


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def test_a_writer_that_lost_its_lease_changes_nothing(world, telemetry):
    world.put_route(a_route(7, port=10_001))
    world.taken()
    world.put_route(a_route(6, port=10_002))
    world.replace_routes([a_route(5, port=10_003)])
    assert world.routes["shop", "support"].port == 10_001
    assert not world.changed.is_set()
    assert value(telemetry, "agentrollouts_router_stale_routes_ignored_total") == 2
    world.put_route(a_route(7, port=10_004))
    assert world.routes["shop", "support"].port == 10_004
    assert value(telemetry, "agentrollouts_router_route_epoch", namespace="shop", agent="support") == 7


def test_the_fence_holds_over_a_deletion_but_not_over_a_new_object(world):
    world.put_route(a_route(7))
    world.drop_route(("shop", "support"))
    world.put_route(a_route(6))
    assert not world.routes
    world.put_route(a_route(1, uid="2"))
    assert world.routes["shop", "support"].epoch == 1


def test_an_invalid_route_leaves_the_last_good_one(world, telemetry):
    world.put_route(a_route(1, port=10_001))
    world.put_route(a_route(2, port=10_002, share=9_000))
    assert world.routes["shop", "support"].port == 10_001
    assert value(telemetry, "agentrollouts_router_invalid_objects_total", resource="agentroutes") == 1


def test_a_list_of_one_namespace_says_nothing_of_another(world):
    world.put_route(a_route(1))
    world.put_route(a_route(1, namespace="other"))
    world.replace_routes([], namespace="other")
    assert list(world.routes) == [("shop", "support")]
    world.replace_routes([])
    assert not world.routes


def test_several_slices_of_a_service_are_one_set_of_endpoints(world):
    world.put_slice(a_slice("x", "10.0.0.1", "10.0.0.2"))
    world.put_slice(a_slice("y", "10.0.0.2", "10.0.0.3"))
    expected = tuple(Endpoint(f"10.0.0.{number}", 8_080) for number in (1, 2, 3))
    assert world.endpoints() == {("shop", "s"): expected}
    world.drop_slice(("shop", "y"))
    assert world.endpoints() == {("shop", "s"): expected[:2]}
    world.replace_slices([a_slice("z")])
    assert world.endpoints() == {("shop", "s"): ()}


def test_only_changes_wake_the_publisher(world):
    world.put_route(a_route(1))
    assert world.taken() == 5.0
    assert world.taken() is None
    world.put_route(a_route(1))
    world.put_route({**a_route(1), "status": {"seen": True}})
    assert not world.changed.is_set()


def unready(name: str, service: str, *addresses: str) -> dict[str, Any]:
    found = a_slice(name, *addresses)
    found["metadata"]["labels"] = {"kubernetes.io/service-name": service}
    for endpoint in found["endpoints"]:
        endpoint["conditions"] = {"ready": False, "serving": False, "terminating": False}
    return found


def test_a_stable_version_with_nothing_ready_is_asked_all_the_same(world):
    world.put_route(a_route(1))
    world.put_slice(unready("s-1", "s", "10.0.0.7"))
    assert world.endpoints() == {("shop", "s"): (Endpoint("10.0.0.7", 8_080),)}
    world.put_slice(a_slice("s-2", "10.0.0.8"))
    assert world.endpoints() == {("shop", "s"): (Endpoint("10.0.0.8", 8_080),)}


def test_any_other_version_with_nothing_ready_drops_out(world):
    world.put_route(a_route(1))
    world.put_slice(unready("c-1", "candidate", "10.0.0.7"))
    assert world.endpoints() == {("shop", "candidate"): ()}
