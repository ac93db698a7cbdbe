"""What the demo applies: versions of the sample support agent, a Rollout with short soaks, and the people."""

from __future__ import annotations

from typing import Any

from support_agent.release import SAMPLES, agent_version

GROUP = "agentrollouts.io/v1alpha1"
AGENT = "support"
APPROVER, BYSTANDER = "alice", "mallory"


def version(semver: str, *, replicas: int = 2) -> dict[str, Any]:
    """One of the sample agent's versions."""
    sample = next(sample for sample in SAMPLES if sample.version == semver)
    manifest = agent_version(sample)
    return manifest | {"spec": manifest["spec"] | {"replicas": replicas}}


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
            "analysis": {"interval": "1s"},
            "rollback": {"warmFor": "30m", "deadline": "10s", "coolDown": "0s"},
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


def users(*, rate: float, seconds: int) -> dict[str, Any]:
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
                    "image": "agent-rollouts/load:dev",
                    "imagePullPolicy": "IfNotPresent",
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
