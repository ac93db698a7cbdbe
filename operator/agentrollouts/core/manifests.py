"""The Deployment and the Services the operator makes, as plain mappings for server-side apply. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentrollouts.api.agentversion import AgentVersionSpec
from agentrollouts.api.scalars import short_digest
from agentrollouts.core.routing import service_name
from agentrollouts.core.task_ledger import TaskLedger, posting, with_token

MANAGED_BY = {"app.kubernetes.io/managed-by": "agent-rollouts"}
AGENT, VERSION, DIGEST = (f"agentrollouts.io/{word}" for word in ("agent", "version", "digest"))
ROLLOUT_LABEL, ROLLOUT_NAMESPACE = "agentrollouts.io/rollout", "agentrollouts.io/rollout-namespace"
ARTIFACT = "agentrollouts.io/artifact-digest"
APPLIED = "agentrollouts.io/applied"
"""Annotation: a hash of what we applied, so that a look at the object says whether to apply again."""
TEMPLATE = "agentrollouts.io/template"
"""Annotation of pods: the hash of the template they were made from."""
STATE_VOLUME, STATE_DIR = "agent-rollouts-state", "/var/run/agent-rollouts"
PROGRESS_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Named:
    """An object's name, and its identity for owner references."""

    namespace: str
    name: str
    uid: str


def fingerprint(content: object) -> str:
    """16 hexadecimal digits over the canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamped(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with its own fingerprint in an annotation."""
    mark = fingerprint(manifest)
    metadata = manifest["metadata"]
    return manifest | {
        "metadata": metadata | {"annotations": metadata.get("annotations", {}) | {APPLIED: mark}}
    }


def stamp_of(manifest: Mapping[str, Any]) -> str:
    """The fingerprint a manifest carries."""
    return str(manifest["metadata"]["annotations"][APPLIED])


def shape_of(service: Mapping[str, Any]) -> str:
    """A fingerprint of what a Service's spec does with traffic; what the API server fills in doesn't count."""
    ports = [
        (item.get("name"), item.get("port"), item.get("targetPort")) for item in service.get("ports") or ()
    ]
    kind = service.get("type", "ClusterIP")
    return fingerprint([kind, service.get("externalName", ""), service.get("selector") or {}, ports])


def owner(kind: str, of: Named) -> dict[str, Any]:
    """An owner reference: the object goes when its owner goes."""
    return {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": kind,
        "name": of.name,
        "uid": of.uid,
        "controller": True,
    }


def version_labels(spec: AgentVersionSpec, digest: str) -> dict[str, str]:
    """Labels of everything a version has."""
    return {
        AGENT: spec.agent,
        VERSION: spec.version,
        DIGEST: short_digest(digest),
        "app.kubernetes.io/name": spec.agent,
        "app.kubernetes.io/instance": service_name(spec.agent, spec.version),
        "app.kubernetes.io/version": spec.version,
        "app.kubernetes.io/component": "agent",
        "app.kubernetes.io/part-of": "agent-rollouts",
        **MANAGED_BY,
    }


def selector(spec: AgentVersionSpec) -> dict[str, str]:
    """What tells the pods of a version apart; a Deployment's selector can never change, so only what never changes."""
    return {AGENT: spec.agent, VERSION: spec.version}


def deployment(
    of: Named, spec: AgentVersionSpec, *, digest: str, replicas: int, ledger: TaskLedger | None = None
) -> dict[str, Any]:
    """The Deployment of a version with a template. The number of pods doesn't count for its fingerprint."""
    assert spec.template is not None
    labels = version_labels(spec, digest)
    template = pod_template(spec, digest=digest, namespace=of.namespace, ledger=ledger)
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": service_name(spec.agent, spec.version),
            "namespace": of.namespace,
            "labels": labels,
            "annotations": {ARTIFACT: digest},
            "ownerReferences": [owner("AgentVersion", of)],
        },
        "spec": {
            "selector": {"matchLabels": selector(spec)},
            "strategy": {"type": "RollingUpdate"},
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": PROGRESS_SECONDS,
            "template": template,
        },
    }
    marked = stamped(manifest)
    return marked | {"spec": marked["spec"] | {"replicas": replicas}}


def pod_template(
    spec: AgentVersionSpec, *, digest: str, namespace: str, ledger: TaskLedger | None = None
) -> dict[str, Any]:
    """The user's template with identity, state volume, a readiness probe where there is none, and the way to the ledger.

    Identity wins over environment variables of the same name in the template: a wrong version would be counted for the
    wrong release. Everything else of the user's stays as it is.
    """
    assert spec.template is not None
    meta, pod = spec.template.get("metadata") or {}, spec.template["spec"]
    containers = [_container(item, spec, digest, namespace) for item in pod["containers"]]
    volumes = [v for v in pod.get("volumes") or () if v.get("name") != STATE_VOLUME]
    volumes.append({"name": STATE_VOLUME, "emptyDir": {}})
    if ledger is not None:
        containers = [posting(item, ledger) for item in containers]
        volumes = with_token(volumes, ledger)
    result = {
        "metadata": {
            "labels": (meta.get("labels") or {}) | version_labels(spec, digest),
            "annotations": (meta.get("annotations") or {}) | {ARTIFACT: digest},
        },
        "spec": pod | {"containers": containers, "volumes": volumes},
    }
    result["metadata"]["annotations"] = result["metadata"]["annotations"] | {TEMPLATE: fingerprint(result)}
    return result


def http_port(spec: AgentVersionSpec) -> int:
    """The port of the template's pods at which the agent is called; 0 without one."""
    containers = (spec.template or {}).get("spec", {}).get("containers") or ()
    ports = (port for item in containers for port in item.get("ports") or ())
    return next((int(port["containerPort"]) for port in ports if port.get("name") == "http"), 0)


def _container(
    item: Mapping[str, Any], spec: AgentVersionSpec, digest: str, namespace: str
) -> dict[str, Any]:
    ours = _identity(spec, digest, namespace)
    names = {variable["name"] for variable in ours}
    theirs = [variable for variable in item.get("env") or () if variable.get("name") not in names]
    mounts = list(item.get("volumeMounts") or ())
    if all(mount.get("mountPath") != STATE_DIR for mount in mounts):
        mounts.append({"name": STATE_VOLUME, "mountPath": STATE_DIR})
    result = {**item, "env": [*ours, *theirs], "volumeMounts": mounts}
    if any(port.get("name") == "http" for port in item.get("ports") or ()) and not item.get("readinessProbe"):
        result["readinessProbe"] = {"tcpSocket": {"port": "http"}, "periodSeconds": 2}
    return result


def _identity(spec: AgentVersionSpec, digest: str, namespace: str) -> list[dict[str, Any]]:
    resource = {
        "service.version": spec.version,
        "gen_ai.agent.version": spec.version,
        "agent.release.digest": digest,
        "k8s.pod.name": "$(POD_NAME)",
        "deployment.environment.name": namespace,
    }
    return [
        {"name": "AGENT_NAME", "value": spec.agent},
        {"name": "AGENT_VERSION", "value": spec.version},
        {"name": "AGENT_RELEASE_DIGEST", "value": digest},
        {"name": "AGENT_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "AGENT_STATE_DIR", "value": STATE_DIR},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "OTEL_SERVICE_NAME", "value": spec.agent},
        {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": ",".join(f"{k}={v}" for k, v in resource.items())},
    ]


def version_service(
    of: Named, spec: AgentVersionSpec, *, digest: str, pods: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The Service in front of a version's pods. ``pods``: the selector of a Deployment the user owns."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(spec.agent, spec.version),
            "namespace": of.namespace,
            "labels": version_labels(spec, digest),
            "annotations": {ARTIFACT: digest},
            "ownerReferences": [owner("AgentVersion", of)],
        },
        "spec": {
            "type": "ClusterIP",
            "selector": dict(pods) if pods is not None else selector(spec),
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def route_name(port: int) -> str:
    """Name of the Service in front of a listener of the router pods."""
    return f"route-{port}"


def agent_service(of: Named, *, agent: str, port: int, router_namespace: str, domain: str) -> dict[str, Any]:
    """The name callers use: another name for the route's Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": agent,
            "namespace": of.namespace,
            "labels": {"app.kubernetes.io/part-of": "agent-rollouts", ROLLOUT_LABEL: agent, **MANAGED_BY},
            "ownerReferences": [owner("Rollout", of)],
        },
        "spec": {
            "type": "ExternalName",
            "externalName": f"{route_name(port)}.{router_namespace}.svc.{domain}",
        },
    }


def route_service(
    of: Named, *, agent: str, port: int, router_namespace: str, router_labels: Mapping[str, str]
) -> dict[str, Any]:
    """The Service in front of one listener of the router pods. It lives beside them, where no owner reference reaches."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": route_name(port),
            "namespace": router_namespace,
            "labels": {
                "app.kubernetes.io/part-of": "agent-rollouts",
                ROLLOUT_LABEL: agent,
                ROLLOUT_NAMESPACE: of.namespace,
                **MANAGED_BY,
            },
        },
        "spec": {
            "type": "ClusterIP",
            "selector": dict(router_labels),
            "ports": [{"name": "http", "port": 80, "targetPort": port, "protocol": "TCP"}],
        },
    }
