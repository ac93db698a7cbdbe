"""Volumes on a cluster that makes none by itself; one that does takes its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from hack.demo.kubectl import Kubectl

OnTheNode = Callable[[str], str]
"""From a shell script, run by root where the folder is ``/node``, to what it prints."""


@contextmanager
def volume(kubectl: Kubectl, claim: str) -> Iterator[OnTheNode]:
    """A folder of the node for the claim of this name, which anybody there may write; gone afterwards, with what is in it."""
    name = f"{kubectl.namespace}-{claim}"
    folder = f"/var/tmp/{name}"
    numbers = count()

    def run(script: str) -> str:
        return _printed(kubectl, f"{name}-{next(numbers)}", folder, script)

    # A folder that the kubelet makes belongs to root, and fsGroup doesn't change a hostPath.
    run("rm -rf /node/* && chmod 0777 /node")
    kubectl.apply(_volume(name, folder, kubectl.namespace, claim))
    try:
        yield run
    finally:
        run("rm -rf /node/*")
        kubectl.run("delete", "persistentvolume", name, "--wait=false")


def claimed(claim: str) -> dict[str, Any]:
    """A claim as a user makes it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def _volume(name: str, folder: str, namespace: str, claim: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": claim},
            "hostPath": {"path": folder, "type": "DirectoryOrCreate"},
        },
    }


def _printed(kubectl: Kubectl, name: str, folder: str, script: str) -> str:
    container = {
        "name": "node",
        "image": "agent-rollouts/load:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "node", "mountPath": "/node"}],
    }
    of_the_node = {"name": "node", "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": [of_the_node]}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    done = "--for=jsonpath={.status.phase}=Succeeded"
    kubectl.run("wait", f"pod/{name}", done, "--timeout=120s", timeout=130)
    return kubectl.run("logs", name)
