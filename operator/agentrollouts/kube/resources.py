"""Where an object lives in the API: its path, from its apiVersion and kind.

A table instead of discovery: the operator writes a handful of kinds, and a write must cost one request.
"""

from __future__ import annotations

from urllib.parse import quote

PLURALS = {
    ("agentrollouts.io/v1alpha1", "AgentRoute"): "agentroutes",
    ("agentrollouts.io/v1alpha1", "AgentVersion"): "agentversions",
    ("agentrollouts.io/v1alpha1", "ApprovalGate"): "approvalgates",
    ("agentrollouts.io/v1alpha1", "Rollout"): "rollouts",
    ("apps/v1", "Deployment"): "deployments",
    ("batch/v1", "Job"): "jobs",
    ("coordination.k8s.io/v1", "Lease"): "leases",
    ("events.k8s.io/v1", "Event"): "events",
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Event"): "events",
    ("v1", "Namespace"): "namespaces",
    ("v1", "Pod"): "pods",
    ("v1", "Service"): "services",
}
"""(apiVersion, kind) -> the resource's name in paths."""


def collection_path(api_version: str, kind: str, *, namespace: str) -> str:
    """Path of a kind's objects in a namespace (an empty one: cluster-scoped). KeyError for a kind that isn't in the table."""
    plural = PLURALS[api_version, kind]
    root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    return f"{root}/namespaces/{quote(namespace, safe='')}/{plural}" if namespace else f"{root}/{plural}"


def object_path(api_version: str, kind: str, *, namespace: str, name: str) -> str:
    """Path of one object."""
    return f"{collection_path(api_version, kind, namespace=namespace)}/{quote(name, safe='')}"
