"""What the demo applies: versions of the sample support agent, a Rollout with short soaks, and the people."""

from __future__ import annotations

import hashlib
from typing import Any

GROUP = "agentrollouts.io/v1alpha1"
AGENT = "support"
APPROVER, BYSTANDER = "alice", "mallory"


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def version(
    semver: str,
    *,
    image: str,
    env: dict[str, str],
    rationale: str,
    replicas: int = 2,
    pull: str = "IfNotPresent",
) -> dict[str, Any]:
    """An AgentVersion of the support agent that behaves as ``env`` says."""
    prompt = f"support prompt of {semver} {sorted(env.items())}"
    container = {
        "name": "agent",
        "image": image,
        "imagePullPolicy": pull,
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9464}],
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "http"},
            "periodSeconds": 1,
            "failureThreshold": 2,
        },
        "resources": {"requests": {"cpu": "20m", "memory": "96Mi"}},
    }
    return {
        "apiVersion": GROUP,
        "kind": "AgentVersion",
        "metadata": {"name": f"{AGENT}-{semver}"},
        "spec": {
            "agent": AGENT,
            "version": semver,
            "replicas": replicas,
            "lineage": {"rationale": rationale},
            "release": {
                "code": {"digest": _digest("support code"), "image": image},
                "model": {"digest": _digest("offline"), "provider": "offline", "name": "support-offline"},
                "prompts": {"digest": _digest(prompt)},
                "tools": {
                    "digest": _digest("tools"),
                    "names": ["lookup_order", "refund_order", "search_faq"],
                },
                "data": {"digest": _digest("shop data")},
            },
            "template": {"spec": {"containers": [container]}},
        },
    }


def rollout(semver: str, **spec: Any) -> dict[str, Any]:
    """The agent's Rollout. Real ones soak for minutes and hours; this one for seconds, so that a demo ends."""
    return {
        "apiVersion": GROUP,
        "kind": "Rollout",
        "metadata": {"name": AGENT},
        "spec": {
            "agent": AGENT,
            "version": semver,
            "assignment": {"header": "x-user-id"},
            "strategy": {
                "steps": [
                    {"share": "10%", "soak": "15s"},
                    {"share": "30%", "soak": "15s"},
                    {"share": "50%", "soak": "15s"},
                ]
            },
            "analysis": {"interval": "1s", "minimumSamples": 30},
            "rollback": {"warmFor": "30m", "deadline": "10s"},
            **spec,
        },
    }


def people(namespace: str) -> list[dict[str, Any]]:
    """Two users who may edit gates; only one of them may approve."""
    gates = {"apiGroups": ["agentrollouts.io"], "resources": ["approvalgates"]}
    roles = {
        "gate-editor": [{**gates, "verbs": ["get", "list", "watch", "patch"]}],
        "gate-approver": [{**gates, "verbs": ["get", "list", "watch", "patch", "approve"]}],
    }
    made: list[dict[str, Any]] = []
    for (role, rules), user in zip(roles.items(), (BYSTANDER, APPROVER), strict=True):
        made.append(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": {"name": role, "namespace": namespace},
                "rules": rules,
            }
        )
        made.append(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": role, "namespace": namespace},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            }
        )
    return made


def users(image: str, *, rate: float, seconds: int, pull: str = "IfNotPresent") -> dict[str, Any]:
    """The pod that plays the users and knows the truth."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "users", "labels": {"app": "users"}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 5,
            "containers": [
                {
                    "name": "load",
                    "image": image,
                    "imagePullPolicy": pull,
                    "args": [
                        "--url", f"http://{AGENT}", "--users", "400", "--rate", str(rate), "--tasks-per-session", "1-4",
                        "--duration", str(seconds), "--key-header", "x-user-id", "--control-port", "8080",
                    ],
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/summary", "port": "http"}, "periodSeconds": 1},
                }
            ],
        },
    }  # fmt: skip
