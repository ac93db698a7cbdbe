"""One good object of each shape, and how a test changes it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tests.integration.api import Object

DIGEST, OTHER_DIGEST = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PEM = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
REMOVED = object()
"""Stands for a field that is taken out."""


def _object(kind: str, name: str, spec: Object) -> Object:
    return {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def _rollout(**spec: Any) -> Object:
    return _object("Rollout", "support", {"agent": "support", "version": "1.2.0", **spec})


def container(**fields: Any) -> Object:
    """A container that can be called."""
    return {
        "name": "agent",
        "image": "example/agent",
        "ports": [{"name": "http", "containerPort": 8080}],
        **fields,
    }


_RELEASE = {part: {"digest": DIGEST} for part in ("code", "model", "prompts", "tools", "data")}
_VERSION_SPEC: Object = {"agent": "support", "version": "1.2.0", "release": _RELEASE}
_CHECKS = [
    {"name": "success", "successRate": {"maxDrop": "5%", "tolerance": "1%", "min": "80%"}},
    {"name": "failures", "failureRate": {"max": "10%"}},
    {"name": "cost", "cost": {"tolerance": "20%", "maxIncrease": "50%", "max": "0.5"}},
    {"name": "latency", "latency": {"tolerance": "5%", "slowerThan": "5s", "maxIncrease": "10%"}},
    {"name": "tools", "toolFailures": {"tolerance": 2, "maxIncrease": "5%", "max": "9%"}, "dryRun": True},
    {"name": "own", "ratio": {"bad": "bad_total", "total": "all_total", "max": "1%"}},
    {
        "name": "queue",
        "promql": {
            "query": 'max by (version, cohort) (queue_seconds{namespace="{{ namespace }}", agent="{{ agent }}"})',
            "max": "2.5",
            "min": -1,
            "maxIncrease": "50%",
            "maxDecrease": "25%",
            "onFailure": "Rollback",
            "unit": "s",
        },
    },
    {"name": "p99", "latencyQuantile": {"quantile": "99.9%", "max": "3s"}, "weight": 15, "critical": True},
    {"name": "mix", "toolMix": {"tolerance": "10%"}},
    {"name": "takeovers", "events": {"event": "takeover", "tolerance": 1, "maxIncrease": "2%", "max": "3%"}},
    {"name": "calls", "llmCalls": {"tolerance": "10%", "maxIncrease": "150%"}},
    {
        "name": "toxicity",
        "score": {
            "name": "toxicity",
            "better": "lower",
            "tolerance": "1%",
            "maxChange": "5%",
            "limit": "10%",
        },
    },
    {"name": "topics", "topicMix": {"tolerance": "10%", "onDrift": "Rollback"}},
    {"name": "length", "responseLength": {"tolerance": "10%", "maxChange": "150%", "onDrift": "Warn"}},
]
_BREAKERS = [
    {"name": "spend", "cost": {"maxPerTask": "0.25"}, "window": "10m"},
    {"name": "errors", "errors": {"max": "50%"}, "minimumTasks": 5},
    {"name": "people", "interventions": {"max": "20%"}},
]

BASES: Mapping[str, Object] = {
    "version": _object(
        "AgentVersion",
        "support-1.2.0",
        _VERSION_SPEC
        | {
            "release": _RELEASE | {"model": {"digest": DIGEST, "parameters": {"temperature": "0.2"}}},
            "template": {
                "metadata": {"labels": {"team": "support"}},
                "spec": {"containers": [container()], "nodeSelector": {"disk": "fast"}},
            },
            "lineage": {
                "parent": "1.1.0",
                "proposedBy": "alice",
                "author": "Agent",
                "rationale": "fewer refusals",
                "costUsd": "0.09",
                "evidence": ["tasks that failed: 18 of 20 right"],
            },
        },
    ),
    "version-of-deployment": _object(
        "AgentVersion", "support-1.2.0", _VERSION_SPEC | {"deploymentRef": {"name": "mine"}}
    ),
    "rollout": _rollout(),
    "rollout-steps": _rollout(
        strategy={"steps": [{"share": "0.5%", "soak": "10m"}, {"share": 20, "minimumSessions": 100}]},
        assignment={"header": "x-user-id", "cookieTtl": "1h", "unit": "User", "group": "desk"},
        analysis={
            "preset": "strict",
            "mode": "threshold",
            "errorBudget": {"falseRollback": "5%", "falsePromotion": 1},
            "margin": "3%",
            "interval": "5s",
            "minimumSessions": 50,
            "window": "6h",
            "failures": {"every": "30s", "consecutive": 3, "atLeast": 4, "outOf": 6},
            "checks": _CHECKS,
            "breakers": _BREAKERS,
            "noEvidenceDeadline": "1h",
        },
        monitor={
            "enabled": True,
            "interval": "10m",
            "window": "48h",
            "minimumSessions": 500,
            "toolMix": "20%",
            "topicMix": 25,
            "responseLength": "150%",
            "events": "2.5%",
        },
        rollback={
            "coolDown": "30m",
            "sessions": "evict",
            "deadline": "10s",
            "warmFor": "1h",
            "readyDeadline": "5m",
        },
        release={
            "verify": {
                "keys": [
                    {"name": "ci", "publicKey": PEM, "claims": ["build"]},
                    {"name": "evals", "publicKey": PEM},
                ],
                "require": ["build", "eval"],
            }
        },
        router={"kind": "Envoy", "timeout": "1m"},
        proposals={
            "autoStart": True,
            "promptVariable": "SUPPORT_SYSTEM_PROMPT",
            "minimumInterval": "12h",
            "coolDown": "24h",
        },
        control={"maxShare": "5%"},
        beforeTraffic=[
            {
                "name": "golden",
                "timeout": "10m",
                "onInvalid": "Rollback",
                "signing": {"secret": "support-signing", "key": "evals.pem"},
                "eval": {
                    "dataset": {"configMap": "evals", "key": "golden.yaml"},
                    "minimumScore": "80%",
                    "repeat": 3,
                    "baseline": {"configMap": "evals", "key": "baseline.json"},
                    "maximumRegression": "5%",
                    "onUnclear": "Pass",
                    "path": "/v1/tasks",
                    "answer": "label",
                    "concurrency": 8,
                    "taskTimeout": "30s",
                    "scorers": ["shop.scorers:Polite"],
                    "image": "example/scorers:1",
                    "serviceAccountName": "scorers",
                    "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
                },
            },
            {
                "name": "replayed",
                "replay": {
                    "from": {
                        "ledger": {
                            "url": "http://ledger.agent-rollouts:8090",
                            "secret": "support-reader",
                            "key": "reader",
                        }
                    },
                    "outcome": "Success",
                    "recordedBy": "Stable",
                    "tasks": 300,
                    "maximumDisagreement": "2%",
                    "maximumNoise": "20%",
                    "compare": "Embedding",
                    "threshold": "92%",
                    "embedding": {
                        "url": "http://llm.models:8000/v1",
                        "model": "small-embedding",
                        "secret": "embeddings",
                        "key": "key",
                    },
                    "answer": "label",
                    "ignore": ["answer.at"],
                    "tools": "All",
                    "input": "text",
                    "journal": {"claim": "replays"},
                    "path": "/v1/tasks",
                    "concurrency": 8,
                    "taskTimeout": "30s",
                    "image": "example/replayer:1",
                    "serviceAccountName": "replayer",
                    "resources": {"limits": {"memory": "1Gi"}},
                },
            },
            {
                "name": "kept",
                "signing": {"secret": "support-signing"},
                "replay": {"from": {"configMap": "tasks", "key": "tasks.jsonl"}},
            },
        ],
        approval={"above": "50%", "quorum": 2, "ttl": "24h"},
        advisor={
            "model": "small",
            "baseURL": "http://llm.models.svc:8000/v1",
            "holdFor": "10m",
            "minimumConfidence": "80%",
            "timeout": "20s",
        },
        notify=[
            {"name": "oncall", "webhook": {"ref": "pager"}, "diff": False},
            {"name": "team", "slack": {"ref": "team-chat"}, "on": ["Promoted", "RolledBack", "Undone"]},
        ],
    ),
    "rollout-tuning": _rollout(
        strategy={
            "selfTuning": {
                "floor": "1%",
                "start": "5%",
                "ceiling": "80%",
                "maxStep": "10%",
                "promoteBelow": "5%",
                "rollbackAbove": "15%",
                "minimumSamples": 20,
                "window": 100,
                "interval": "2m",
            }
        },
        assignment={"cookie": "uid"},
    ),
    "rollout-manual": _rollout(
        strategy={
            "manual": {
                "shares": [
                    {"version": "1.0.0", "share": "33.33%"},
                    {"version": "1.1.0", "share": "33.33%"},
                    {"version": "1.2.0", "share": "33.34%"},
                ]
            }
        }
    ),
    "gate": _object(
        "ApprovalGate",
        "support-1.2.0-1",
        {
            "agent": "support",
            "version": "1.2.0",
            "artifactDigest": DIGEST,
            "stable": "1.1.0",
            "share": "100%",
            "requestedBy": "alice",
            "expiresAt": "2026-12-01T10:00:00.000000Z",
            "evidence": [{"cohort": "candidate", "version": "1.2.0", "tasks": 120, "successRate": "97.4%"}],
            "checks": [{"name": "success", "verdict": "PASS"}],
            "diff": "prompts: prompts/system.md\n@@ -1 +1 @@\n-Be brief.\n+Be kind.\n",
        },
    ),
    "route": _object(
        "AgentRoute",
        "support",
        {
            "agent": "support",
            "port": 10017,
            "offset": 3700,
            "sticky": {"header": "x-user-id", "cookie": "uid"},
            "group": "desk",
            "arms": [
                {"cohort": "candidate", "version": "1.2.0", "service": "support-1-2-0", "share": 500},
                {"cohort": "stable", "version": "1.1.0", "service": "support-1-1-0", "share": 9500},
            ],
            "intent": {"action": "Advance", "version": "1.2.0", "at": "2026-11-20T10:00:00Z"},
        },
    ),
}


def changed(base: str, changes: Mapping[str, Any]) -> Object:
    """A copy of a base with dotted paths set; REMOVED takes a field out."""
    result = copy.deepcopy(dict(BASES[base]))
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = result
        for key in parents:
            place = place[int(key)] if isinstance(place, list) else place.setdefault(key, {})
        if value is REMOVED:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = copy.deepcopy(value)
    return result


def place_in(body: Object, path: str) -> str | None:
    """The first path in the object that a path with ``*`` matches; None where there is no such field."""
    found = [""]
    for key in path.split("."):
        found = [deeper for place in found for deeper in _step(body, place, key)]
    return found[0] if found else None


def _step(body: Object, place: str, key: str) -> list[str]:
    value: Any = body
    for part in place.split(".") if place else ():
        value = value[int(part)] if isinstance(value, list) else value[part]
    keys = [str(index) for index in range(len(value))] if isinstance(value, list) else list(value)
    return [f"{place}.{each}" if place else each for each in keys if key in ("*", each)]
