"""Faults made on purpose, on exactly one named pod or Service at a time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hack.cluster.choice import provider_of
from hack.cluster.settings import read_settings
from hack.demo.kubectl import Kubectl
from tests.e2e.space import poll

LEASE = "agent-rollouts-operator"
PROMETHEUS = "agent-rollouts-prometheus"
SESSION = "e2e-session"
COMPONENT = "app.kubernetes.io/component"
OPERATORS = f"{COMPONENT}=operator,app.kubernetes.io/instance=agent-rollouts"


def leader(system: Kubectl) -> str:
    """Name of the operator pod that holds the Lease."""
    lease = system.get("lease", LEASE)
    return str(lease["spec"]["holderIdentity"]).rpartition("_")[0] if lease else ""


def pods(kubectl: Kubectl, selector: str) -> list[dict[str, Any]]:
    """Pods that aren't going."""
    return [p for p in kubectl.list("pods", selector) if "deletionTimestamp" not in p["metadata"]]


def force_delete(system: Kubectl, pod: str, session: str) -> None:
    """Take a pod of the installation away without any grace; only one that this session's own upgrade started."""
    found = system.get("pod", pod)
    mark = ((found or {}).get("metadata", {}).get("annotations") or {}).get(SESSION)
    assert mark == session, f"{pod} was not started by this session, so it isn't killed (its mark: {mark})"
    system.run("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")


def kill_leader(system: Kubectl, session: str) -> None:
    """The leading operator is gone without any grace; another one leads afterwards."""
    old = poll(
        lambda: leader(system),
        lambda name: name in {p["metadata"]["name"] for p in pods(system, OPERATORS)},
        name="a leader that is there",
        seconds=60,
    )
    force_delete(system, old, session)
    poll(lambda: leader(system), lambda name: name not in ("", old), name="a new leader", seconds=60)


def kill_container(kubectl: Kubectl, pod: str, container: str) -> None:
    """SIGKILL the first process of one container, found by its full id; only where containers are this machine's processes."""
    if provider_of(read_settings(os.environ)).name != "native":
        pytest.skip("a container's process can be killed from here on the native cluster only")
    found = kubectl.get("pod", pod)
    assert found is not None
    ids = {s["name"]: s["containerID"].rpartition("/")[2] for s in found["status"]["containerStatuses"]}
    pids = [pid for pid in _processes(ids[container]) if _first_in_container(pid)]
    assert len(pids) == 1, f"expected one first process of {pod}/{container}, found {pids}"
    os.kill(pids[0], signal.SIGKILL)


def _processes(container_id: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            groups = (folder / "cgroup").read_text().splitlines()
        except OSError:
            continue  # It ended meanwhile.
        if any(line.endswith(f"/{container_id}") for line in groups):
            found.append(int(folder.name))
    return found


def _first_in_container(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line for line in lines if line.startswith("NSpid:")).split()[-1] == "1"


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
