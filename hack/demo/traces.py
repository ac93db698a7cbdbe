"""What a demo found on the cluster, so that it can leave it as it was."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from rich.console import Console

from hack.cluster.__main__ import main as cluster
from hack.cluster.choice import provider_of
from hack.cluster.errors import ClusterError
from hack.cluster.settings import read_settings
from hack.demo import install, screen
from hack.demo.kubectl import Kubectl


@dataclass(frozen=True, slots=True)
class Found:
    """What was there before. ``revision`` is the release's, 0 without one; ``definitions`` are the names of our CRDs."""

    cluster: bool
    revision: int
    definitions: frozenset[str]


def cluster_is_up() -> bool:
    """Whether there is a usable cluster already."""
    try:
        return provider_of(read_settings(os.environ)).health().ready
    except ClusterError:
        return False  # whoever makes one will say what is wrong


def look(kubectl: Kubectl, helm: str, *, was_up: bool) -> Found:
    """What is on a cluster that is up."""
    return Found(was_up, _revision(kubectl, helm), _definitions(kubectl))


def _revision(kubectl: Kubectl, helm: str) -> int:
    listed = install.run(helm, kubectl.kubeconfig, "list", "-o", "json", "-n", install.RELEASE)
    return next((int(each["revision"]) for each in json.loads(listed) if each["name"] == install.RELEASE), 0)


def _definitions(kubectl: Kubectl) -> frozenset[str]:
    names = kubectl.run("get", "crd", "-o", "name").split()
    return frozenset(name for name in names if name.endswith(".agentrollouts.io"))


def remove(console: Console, kubectl: Kubectl, helm: str, found: Found, *, target: str) -> bool:
    """Take away what the demo made: the whole cluster where that was the demo's, else only what it put there.

    A release that was there before is put back as it was. ``target`` is the demo's name for make. Whether all of it is gone; of a cluster that wouldn't go down, the reason has been printed.

    Raises:
        KubectlError, InstallError: something of it couldn't be taken away.
    """
    if not found.cluster:
        screen.say(console, f"The cluster goes, too. `make {target} KEEP=1` would leave it to explore.")
        return cluster(["down"]) == 0
    screen.say(console, f"What the demo put onto the cluster goes. `make {target} KEEP=1` would leave it.")
    kubectl.run("delete", "namespace", kubectl.namespace, timeout=180)
    home = install.RELEASE
    place = ("-n", home, "--wait", "--timeout", "3m")
    if not found.revision:
        install.run(helm, kubectl.kubeconfig, "uninstall", home, *place)
    elif _revision(kubectl, helm) != found.revision:
        install.run(helm, kubectl.kubeconfig, "rollback", home, str(found.revision), *place)
    made = _definitions(kubectl) - found.definitions
    if made:
        kubectl.run("delete", *sorted(made), timeout=180)
    if not found.revision:
        kubectl.run("delete", "namespace", home, timeout=180)
    return True
