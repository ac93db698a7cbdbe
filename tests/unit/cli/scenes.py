"""Rollouts as the API server would return them, at each moment worth looking at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from agentrollouts.cli.overview import Scene

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def ago(**delta: float) -> str:
    """A time before NOW, as the API writes it."""
    return (NOW - timedelta(**delta)).isoformat()


def rollout(status: dict[str, Any] | None = None, *, version: str = "2.0.0", **spec: Any) -> dict[str, Any]:
    """A Rollout of agent support in namespace shop."""
    return {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "support",
            "namespace": "shop",
            "generation": 3,
            "resourceVersion": "17",
            "creationTimestamp": ago(days=9),
            "annotations": {"agentrollouts.io/requested-by": "alice"},
        },
        "spec": {"agent": "support", "version": version, **spec},
        **({"status": {"observedGeneration": 3, **status}} if status is not None else {}),
    }


def agent_version(semver: str, digest: str, *, ready: int = 2) -> dict[str, Any]:
    """An AgentVersion with two pods."""
    return {
        "metadata": {"name": f"support-{semver}", "namespace": "shop"},
        "spec": {"agent": "support", "version": semver},
        "status": {"artifactDigest": digest, "replicas": 2, "readyReplicas": ready, "phase": "Candidate"},
    }


def share(cohort: str, version: str, now: int, before: int) -> dict[str, Any]:
    """One arm."""
    return {"cohort": cohort, "version": version, "share": now, "previousShare": before}


STABLE = {"version": "1.0.0", "digest": OLD, "since": ago(days=8)}
CANDIDATE = {
    "version": "2.0.0",
    "digest": NEW,
    "attempt": 1,
    "startedAt": ago(hours=3),
    "step": 2,
    "stepStartedAt": ago(minutes=12),
    "share": 5000,
}
WAITING = rollout(
    {
        "phase": "AwaitingApproval",
        "message": "2.0.0 waits at 50% for approval of 100%",
        "stable": STABLE,
        "candidate": CANDIDATE,
        "shares": [
            share("candidate", "2.0.0", 5000, 2000),
            share("stable", "1.0.0", 4000, 7000),
            share("control", "1.0.0", 1000, 1000),
        ],
        "checks": [
            {"name": "success", "verdict": "PASS", "reason": "97.4% against 96.8%"},
            {"name": "cost", "verdict": "FAIL", "reason": "0.021 USD against 0.010 USD a task [limit +50%]"},
            {"name": "tools", "verdict": "INCONCLUSIVE", "reason": "12 of 20 tasks"},
        ],
        "breakers": [{"name": "spend", "state": "Armed", "reason": "$0.021000 a task, at most $0.25"}],
    }
)
GATE = {
    "kind": "ApprovalGate",
    "metadata": {"name": "support-2.0.0-1", "namespace": "shop", "resourceVersion": "5"},
    "spec": {
        "agent": "support",
        "version": "2.0.0",
        "artifactDigest": NEW,
        "stable": "1.0.0",
        "share": "100%",
        "quorum": 2,
        "expiresAt": (NOW + timedelta(days=6, hours=5)).isoformat(),
        "rationale": "fewer refusals",
        "changes": ["prompts: sha256:aaaa -> sha256:bbbb"],
        "evidence": [{"cohort": "candidate", "version": "2.0.0", "tasks": 340, "successRate": "97.4%"}],
    },
    "status": {
        "phase": "Pending",
        "approvals": [{"approver": "bob", "digest": NEW, "time": ago(minutes=5), "comment": "looks fine"}],
    },
}
ROLLED_BACK = rollout(
    {
        "phase": "RolledBack",
        "message": "1.0.0 serves; 2.0.0 was taken out",
        "stable": STABLE,
        "rejected": {
            "version": "2.0.0",
            "digest": NEW,
            "attempt": 2,
            "reason": "CheckFailed",
            "message": "success: 80.0% against 97.0%",
            "at": ago(minutes=2),
            "drainUntil": ago(minutes=1),
        },
        "shares": [share("stable", "1.0.0", 10000, 9500)],
        "history": [
            {
                "version": "1.0.0",
                "digest": OLD,
                "outcome": "Promoted",
                "startedAt": ago(days=9),
                "finishedAt": ago(days=8),
                "approvals": [{"approver": "bob", "digest": OLD, "time": ago(days=8)}],
            },
            {
                "version": "2.0.0",
                "digest": NEW,
                "attempt": 2,
                "outcome": "RolledBack",
                "message": "success: 80.0% against 97.0%",
                "startedAt": ago(hours=3),
                "finishedAt": ago(minutes=2),
            },
        ],
    }
)
HEALTHY = rollout(
    {
        "phase": "Healthy",
        "message": "2.0.0 serves all traffic",
        "stable": {"version": "2.0.0", "digest": NEW, "since": ago(minutes=10)},
        "previous": {
            "version": "1.0.0",
            "digest": OLD,
            "warmUntil": (NOW + timedelta(minutes=50)).isoformat(),
        },
        "shares": [share("stable", "2.0.0", 10000, 5000)],
    }
)
VERSIONS = (agent_version("1.0.0", OLD), agent_version("2.0.0", NEW, ready=1))


def scene(item: dict[str, Any], *, gate: dict[str, Any] | None = None) -> Scene:
    """A look at it now."""
    return Scene(rollout=item, versions=VERSIONS, gate=gate, now=NOW)
