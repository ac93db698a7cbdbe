"""How a fleet of Rollouts is made, started and read: the kind ``agent`` for a harness that compares controllers.

The harness brings ``kinds`` (its base class and the fake pod's template); ``bench/kinds.py`` is ours, for ``make bench``.
Each rollout holds its candidate at 10 % for ever and is judged by five ratios of counters, bad above 10 %.
"""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import kinds

GROUP = "agentrollouts.io/v1alpha1"
STABLE, CANDIDATE = "1.0.0", "2.0.0"


def digest(*parts: str) -> str:
    return "sha256:" + hashlib.sha256("/".join(parts).encode()).hexdigest()


class KIND(kinds.Kind):
    name = "agent"
    route = f"/apis/{GROUP}/agentroutes"
    crs = f"/apis/{GROUP}/rollouts"

    def objects(self, ns: str, name: str, node: str) -> list[tuple[str, dict[str, Any]]]:
        at = f"/apis/{GROUP}/namespaces/{ns}"
        return [
            (f"{at}/agentversions", self.version(ns, name, node, STABLE)),
            (f"{at}/agentversions", self.version(ns, name, node, CANDIDATE)),
            (f"{at}/rollouts", self.rollout(ns, name)),
        ]

    def version(self, ns: str, name: str, node: str, semver: str) -> dict[str, Any]:
        template = copy.deepcopy(kinds.pod_template(name, node, semver))
        template["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}]
        parts = ("code", "model", "prompts", "tools", "data")
        return {
            "apiVersion": GROUP,
            "kind": "AgentVersion",
            "metadata": {"name": f"{name}-{semver}", "namespace": ns},
            "spec": {
                "agent": name,
                "version": semver,
                "replicas": 1,
                "release": {part: {"digest": digest(ns, name, semver, part)} for part in parts},
                "template": template,
            },
        }

    def rollout(self, ns: str, name: str) -> dict[str, Any]:
        interval = f"{self.o.interval}s"
        # Just what came since the last look: a window as long as the interval would often reach back to the look before.
        window = f"{max(1, self.o.interval // 2)}s"
        checks = [
            {
                "name": metric.replace("_", "-"),
                "critical": True,
                "ratio": {
                    "bad": metric.removesuffix("_ratio") + "_total",
                    "total": "task_total",
                    "max": f"{kinds.LIMIT:.0%}",
                },
            }
            for metric in kinds.QUERIES
        ]
        return {
            "apiVersion": GROUP,
            "kind": "Rollout",
            "metadata": {"name": name, "namespace": ns, "labels": {"perf": "rollout"}},
            "spec": {
                "agent": name,
                "version": STABLE,
                "strategy": {"steps": [{"share": f"{self.o.hold_weight}%", "soak": "99h"}]},
                "analysis": {
                    "mode": "threshold",
                    "interval": interval,
                    "window": window,
                    "minimumSessions": 5,
                    "failures": {"every": "1s", "consecutive": 1},
                    "checks": checks,
                },
            },
        }

    def new_version(self, ns: str, name: str) -> tuple[str, dict[str, Any]]:
        return f"/apis/{GROUP}/namespaces/{ns}/rollouts/{name}", {"spec": {"version": CANDIDATE}}

    def ready(self, cr: dict[str, Any]) -> bool:
        status = cr.get("status") or {}
        return status.get("phase") == "Healthy" and bool(status.get("stable"))

    def weight(self, route: dict[str, Any]) -> tuple[tuple[str, str], float] | None:
        meta = route["metadata"]
        share = sum(arm["share"] for arm in route["spec"]["arms"] if arm["cohort"] == "candidate")
        return (meta["namespace"], meta["name"]), share / 100

    def versions(self, ns: str, name: str) -> dict[str, Any]:
        return {"agent": name, "namespace": ns, "versions": [STABLE, CANDIDATE], "canary": CANDIDATE}
