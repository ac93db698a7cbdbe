"""Faults made on purpose, on exactly one named pod or Service at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hack.cluster.choice import provider_of
from hack.cluster.commands import output_of
from hack.cluster.settings import read_settings
from hack.demo.kubectl import Kubectl
from tests.e2e.space import poll

LEASE = "agent-rollouts-operator"
PROMETHEUS = "agent-rollouts-prometheus"
COMPONENT = "app.kubernetes.io/component"
OPERATORS = f"{COMPONENT}=operator,app.kubernetes.io/instance=agent-rollouts"


def holder(system: Kubectl) -> str:
    """Who holds the operator's Lease: the pod's name, an underscore, and a word that is new with every process."""
    lease = system.get("lease", LEASE)
    return str(lease["spec"].get("holderIdentity") or "") if lease else ""


def pods(kubectl: Kubectl, selector: str) -> list[dict[str, Any]]:
    """Pods that aren't going."""
    return [p for p in kubectl.list("pods", selector) if "deletionTimestamp" not in p["metadata"]]


def kill_leader(system: Kubectl) -> None:
    """The leading operator's process is killed; another one leads afterwards, in the other pod or the same."""
    old = poll(
        lambda: holder(system),
        lambda name: name.rpartition("_")[0] in {p["metadata"]["name"] for p in pods(system, OPERATORS)},
        name="a leader that is there",
        seconds=60,
    )
    kill_container(system, old.rpartition("_")[0], "operator")
    poll(lambda: holder(system), lambda name: name not in ("", old), name="a new leader", seconds=60)


def kill_container(kubectl: Kubectl, pod: str, container: str) -> None:
    """SIGKILL the first process of one container, found by its full id; only on a node of this project's own."""
    ctr = provider_of(read_settings(os.environ)).ctr()
    if not ctr:
        pytest.skip("on a cluster that isn't this project's own (CLUSTER=existing) no process is killed")
    found = kubectl.get("pod", pod)
    assert found is not None
    ids = {s["name"]: s["containerID"].rpartition("/")[2] for s in found["status"]["containerStatuses"]}
    output_of([*ctr, "tasks", "kill", "--signal", "SIGKILL", ids[container]])


def restarts(kubectl: Kubectl, pod: str, container: str) -> tuple[int, bool]:
    """(times a container began again, whether it is ready)."""
    found = kubectl.get("pod", pod) or {}
    states = {state["name"]: state for state in found["status"]["containerStatuses"]}
    return states[container]["restartCount"], states[container]["ready"]


@contextmanager
def no_prometheus(system: Kubectl) -> Iterator[None]:
    """No new connection reaches Prometheus by its Service; it goes on and keeps what it has.

    NB: connections that are open stay open, so an operator that has one must be replaced to feel this.
    """
    key = {"spec": {"selector": {COMPONENT: "nobody"}}}
    system.patch("service", PROMETHEUS, key)
    try:
        yield
    finally:
        system.patch("service", PROMETHEUS, {"spec": {"selector": {COMPONENT: "prometheus"}}})
