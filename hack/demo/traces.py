"""What a demo found on the cluster, so that it can leave it as it was."""

from __future__ import annotations

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
    """What was there before. ``definitions`` are the names of our CRDs."""

    cluster: bool
    release: bool
    definitions: frozenset[str]


def cluster_is_up() -> bool:
    """Whether there is a usable cluster already."""
    try:
        return provider_of(read_settings(os.environ)).health().ready
    except ClusterError:
        return False  # whoever makes one will say what is wrong


def look(kubectl: Kubectl, helm: str, *, was_up: bool) -> Found:
    """What is on a cluster that is up."""
    releases = install.run(helm, kubectl.kubeconfig, "list", "-q", "-n", install.RELEASE).split()
    return Found(was_up, install.RELEASE in releases, _definitions(kubectl))


def _definitions(kubectl: Kubectl) -> frozenset[str]:
    names = kubectl.run("get", "crd", "-o", "name").split()
    return frozenset(name for name in names if name.endswith(".agentrollouts.io"))


def remove(console: Console, kubectl: Kubectl, helm: str, found: Found) -> bool:
    """Take away what the demo made: the whole cluster where that was the demo's, else only what it put there.

    Whether all of it is gone; of a cluster that wouldn't go down, the reason has been printed.

    Raises:
        KubectlError, InstallError: something of it couldn't be taken away.
    """
    if not found.cluster:
        screen.say(console, "The cluster goes, too. `make demo KEEP=1` would leave it to explore.")
        return cluster(["down"]) == 0
    screen.say(console, "What the demo put onto the cluster goes. `make demo KEEP=1` would leave it.")
    kubectl.run("delete", "namespace", kubectl.namespace, timeout=180)
    home = install.RELEASE
    if not found.release:
        place = ("-n", home, "--wait", "--timeout", "3m")
        install.run(helm, kubectl.kubeconfig, "uninstall", home, *place)
    made = _definitions(kubectl) - found.definitions
    if made:
        kubectl.run("delete", *sorted(made), timeout=180)
    if not found.release:
        kubectl.run("delete", "namespace", home, timeout=180)
    return True
