"""Asking a cluster how it is, the same way whichever provider made it."""

import json
from collections.abc import Mapping
from pathlib import Path

from hack.cluster.commands import attempt
from hack.cluster.providers.provider import Health


def node_facts(listing: Mapping[str, object]) -> tuple[bool, str]:
    """Whether all nodes of a NodeList are ready, and one line that says so for a person."""
    nodes = listing.get("items")
    if not isinstance(nodes, list) or not nodes:
        return False, "none"
    lines = [_node_line(node) for node in nodes]
    return all(ready for ready, _ in lines), "; ".join(text for _, text in lines)


def _node_line(node: Mapping[str, object]) -> tuple[bool, str]:
    status = node["status"]
    metadata = node["metadata"]
    assert isinstance(status, dict)
    assert isinstance(metadata, dict)
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions", []))
    info = status["nodeInfo"]
    text = f"{metadata['name']} {'Ready' if ready else 'NotReady'} ({info['kubeletVersion']}, "
    return ready, text + f"{info['containerRuntimeVersion']})"


def probe(name: str, *, kubectl: str, kubeconfig: Path, environment: Mapping[str, str]) -> Health:
    """Provider, kubeconfig, server version and nodes of a cluster."""
    facts = {"provider": name, "kubeconfig": str(kubeconfig)}
    if not kubeconfig.exists():
        return Health(False, {**facts, "cluster": "none (`make cluster` makes one)"})
    base = [kubectl, f"--kubeconfig={kubeconfig}", "--request-timeout=5s"]
    server = attempt([*base, "get", "--raw=/version"], environment=environment, timeout=15)
    if server.returncode != 0:
        reason = server.stderr.strip().splitlines()[-1:] or ["no answer"]
        return Health(False, {**facts, "cluster": f"does not answer: {reason[0]}"})
    nodes = attempt([*base, "get", "nodes", "-o", "json"], environment=environment, timeout=15)
    ready, text = (
        node_facts(json.loads(nodes.stdout)) if nodes.returncode == 0 else (False, nodes.stderr.strip())
    )
    version = str(json.loads(server.stdout)["gitVersion"])
    return Health(ready, {**facts, "server": version, "nodes": text})
