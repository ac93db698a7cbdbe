"""The schema of an AgentVersion's pod template: field names in full, values left to the Deployment it becomes.

Names are listed, not passed through with ``x-kubernetes-preserve-unknown-fields``, for two reasons. A typing error in a
field's name is refused when the AgentVersion is made, not when its Deployment is. And CEL's ``==`` on an object with
unknown fields misses one unknown field put in place of another, which would open a hole in the version's immutability.
Each listed value is preserved whole and compared whole. ``tests/unit/api`` compares the names with the official client's.
"""

from __future__ import annotations

from typing import Any

from agentrollouts.api.base import Rule, rules

_OF_A_POD = (
    "activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy enableServiceLinks"
    " ephemeralContainers evictionResponders hostAliases hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride imagePullSecrets"
    " initContainers nodeName nodeSelector os overhead preemptionPolicy priority priorityClassName readinessGates"
    " resourceClaims resources restartPolicy runtimeClassName schedulerName schedulingGates schedulingGroup"
    " securityContext serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain"
    " terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes"
)
_OF_A_CONTAINER = (
    "args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy"
    " resources restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce terminationMessagePath"
    " terminationMessagePolicy tty volumeDevices volumeMounts workingDir"
)

POD_FIELDS, CONTAINER_FIELDS = _OF_A_POD.split(), _OF_A_CONTAINER.split()
_ANY: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}
_STRINGS: dict[str, Any] = {
    "type": "object",
    "maxProperties": 64,
    "additionalProperties": {"type": "string", "maxLength": 65_536},
}


def _text(description: str, longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest, "description": description}


_PORT: dict[str, Any] = {
    "type": "object",
    "description": "One port of the container.",
    "required": ["containerPort"],
    "properties": {
        "name": _text("http where the agent listens, metrics where it reports.", 15),
        "containerPort": {
            "type": "integer",
            "minimum": 1,
            "maximum": 65_535,
            "description": "The port's number.",
        },
        "protocol": {"type": "string", "enum": ["TCP", "UDP", "SCTP"], "description": "TCP where absent."},
        "hostIP": _text("As in a Pod.", 64),
        "hostPort": {"type": "integer", "minimum": 1, "maximum": 65_535, "description": "As in a Pod."},
    },
}
_CONTAINER: dict[str, Any] = {
    "type": "object",
    "description": "One container, as in a Pod.",
    "required": ["name", "image"],
    "properties": {field: _ANY | {"description": "As in a Pod."} for field in CONTAINER_FIELDS}
    | {
        "name": _text("Name of the container.", 63),
        "image": _text("The image that runs; pin it by digest.", 512),
        "ports": {"type": "array", "maxItems": 32, "items": _PORT, "description": "Ports of the container."},
    },
}
_POD: dict[str, Any] = {
    "type": "object",
    "description": "What runs in the pods, as in a Deployment.",
    "required": ["containers"],
    "properties": {field: _ANY | {"description": "As in a Pod."} for field in POD_FIELDS}
    | {
        "containers": {
            "type": "array",
            "minItems": 1,
            "maxItems": 16,
            "items": _CONTAINER,
            "description": "The containers; at least one.",
        }
    },
}
POD_TEMPLATE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["spec"],
    "properties": {
        "metadata": {
            "type": "object",
            "description": "Labels and annotations of the pods; the operator adds its own.",
            "properties": {
                "labels": _STRINGS | {"description": "Labels of the pods."},
                "annotations": _STRINGS | {"description": "Annotations of the pods."},
            },
        },
        "spec": _POD,
    },
} | rules(
    Rule(
        "self.spec.containers.exists(c, has(c.ports) && c.ports.exists(p, has(p.name) && p.name == 'http'))",
        "give one container a port named http: that is where the agent is called",
        ".spec.containers",
    )
)
"""Schema extras for ``AgentVersion.spec.template``."""
