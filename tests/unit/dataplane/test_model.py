"""Reading objects: tolerant of what is new, strict about what would be served."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from agentrollouts.dataplane.model import Endpoint, InvalidObjectError, route_of, slice_of

ROUTE: dict[str, Any] = {
    "metadata": {"namespace": "shop", "name": "support", "uid": "u"},
    "spec": {
        "agent": "support",
        "port": 10_017,
        "arms": [
            {"cohort": "stable", "version": "1.0.0", "service": "support-1-0-0", "share": 10_000, "new": 1}
        ],
        "somethingNew": {"a": 1},
    },
}


def changed(**spec: Any) -> dict[str, Any]:
    obj = copy.deepcopy(ROUTE)
    obj["spec"].update(spec)
    return obj


def with_arm(**fields: Any) -> dict[str, Any]:
    return changed(arms=[{**ROUTE["spec"]["arms"][0], **fields}])


def test_fields_of_a_newer_operator_are_left_alone():
    route = route_of(ROUTE)
    assert (route.key, route.port, route.offset, route.timeout_seconds) == (
        ("shop", "support"),
        10_017,
        0,
        300,
    )


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (changed(port=None), "complete spec"),
        (changed(arms=[]), "add up to 10000"),
        (changed(arms="none"), "complete spec"),
        (with_arm(share=9_999), "add up to 10000; got 9999"),
        (with_arm(share=-1), "0..10000"),
        (with_arm(version="1.0.0%REQ(cookie)%"), "a semver"),
        (with_arm(service="Not/A/Name"), "Service name"),
        (with_arm(cohort="canary"), "expected a cohort"),
        (changed(group="a%b"), "expected a group"),
        (changed(sticky={"header": "x y"}), "header or cookie name"),
        ({"metadata": {}}, "complete spec"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_reason(obj, expected):
    with pytest.raises(InvalidObjectError, match="AgentRoute") as error:
        route_of(obj)
    assert expected in str(error.value)


def an_endpoint(address: str, **conditions: Any) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


def a_slice(*endpoints: dict[str, Any], **fields: Any) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": "support-1-0-0"}
    return {
        "metadata": {"namespace": "shop", "name": "support-1-0-0-x", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "metrics", "port": 9_464}, {"name": "http", "port": 8_080}],
        "endpoints": list(endpoints),
        **fields,
    }


def test_only_endpoints_that_take_new_requests():
    found = slice_of(
        a_slice(
            an_endpoint("10.0.0.4", ready=True),
            an_endpoint("10.0.0.2"),
            an_endpoint("10.0.0.3", ready=False, serving=True, terminating=True),
            an_endpoint("10.0.0.5", ready=True, serving=True, terminating=True),
            an_endpoint("10.0.0.6", ready=False),
        )
    )
    assert found.endpoints == (Endpoint("10.0.0.2", 8_080), Endpoint("10.0.0.4", 8_080))


@pytest.mark.parametrize(
    "fields", [{"ports": None}, {"ports": []}, {"addressType": "FQDN"}, {"endpoints": None}]
)
def test_a_slice_without_usable_addresses_is_empty(fields):
    assert slice_of({**a_slice(an_endpoint("10.0.0.2")), **fields}).endpoints == ()


def test_a_slice_of_no_service_is_refused():
    obj = a_slice()
    obj["metadata"]["labels"] = {}
    with pytest.raises(InvalidObjectError, match="EndpointSlice shop/support-1-0-0-x"):
        slice_of(obj)
