"""A Rollout whose candidate is replayed before traffic, and versions that can be: with a template of pods."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agentrollouts.api.agentversion import AgentVersionSpec
from agentrollouts.core.snapshot import VersionView
from tests.builders import version


def entry(**fields: Any) -> dict[str, Any]:
    tasks = {"from": {"configMap": "tasks", "key": "tasks.jsonl"}, "path": "/v1/tasks", "answer": "label"}
    return {"name": "replayed", "timeout": "10m", "replay": {**tasks, **fields}}


def with_template(semver: str, letter: str, **changes: Any) -> VersionView:
    """A version of an agent whose container listens at 8080; its pods have labels, annotations and variables of the user's."""
    container = {
        "name": "agent",
        "image": f"shop/support:{semver}",
        "ports": [{"name": "metrics", "containerPort": 9464}, {"name": "http", "containerPort": 8080}],
        "env": [
            {"name": "SHOP", "value": "berlin"},
            {"name": "AGENT_REPLAY", "value": "0"},
            {"name": "AGENT_LEDGER_URL", "value": "http://elsewhere"},
        ],
    }
    view = version(semver, letter)
    part = {"digest": view.digest}
    spec = AgentVersionSpec.model_validate(
        {
            "agent": "support",
            "version": semver,
            "release": {
                "code": {**part, "image": f"shop/support@{view.digest}"},
                "model": {**part, "provider": "offline", "name": "rules", "snapshot": "1"},
                "prompts": part,
                "tools": part,
                "data": part,
            },
            "template": {
                "metadata": {
                    "labels": {"app": "support"},
                    "annotations": {"sidecar/inject": "true", "prometheus.io/scrape": "true"},
                },
                "spec": {"serviceAccountName": "support", "containers": [container]},
            },
            **changes,
        }
    )
    return replace(view, spec=spec)
