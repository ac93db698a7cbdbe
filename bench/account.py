"""Who the operator under measurement is, and what it cost: CPU and memory of its process, API requests by verb.

The API server counts for us: a service account of its own and one FlowSchema a verb, so that the server's counter of
dispatched requests, by FlowSchema, is just this client's. No audit log, no restart; same priority as any service account.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from bench.cluster import Api
from hack.apiserver import ApiServer

HOME = "agent-rollouts"
NAME = "measured"
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete")
_FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
_COUNTED = re.compile(
    rf'^apiserver_flowcontrol_dispatched_requests_total\{{.*flow_schema="{NAME}-(\w+)".*\}} (\S+)$',
    re.MULTILINE,
)
_TICKS = os.sysconf("SC_CLK_TCK")


async def open_account(api: Api, server: ApiServer, *, kubeconfig: Path) -> None:
    """The account, its rights, its counters, and its kubeconfig file."""
    meta = {"name": NAME, "namespace": HOME}
    subject = {"kind": "ServiceAccount", **meta}
    await api.create(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}}
    )
    accounts = f"/api/v1/namespaces/{HOME}/serviceaccounts"
    await api.create(accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [subject],
    }
    await api.create(f"/apis/{group}/v1/clusterrolebindings", binding)
    for verb in VERBS:
        await api.create(_FLOWS, _flow(verb))
    wanted = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 36_000},
    }
    token = (await api.create(f"{accounts}/{NAME}/token", wanted))["status"]["token"]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": NAME, "cluster": {"server": server.url, "certificate-authority": str(server.authority)}}
        ],
        "users": [{"name": NAME, "user": {"token": token}}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }
    _write_privately(kubeconfig, json.dumps(config))


def _write_privately(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")


def _flow(verb: str) -> dict[str, object]:
    rule = {
        "subjects": [{"kind": "ServiceAccount", "serviceAccount": {"name": NAME, "namespace": HOME}}],
        "resourceRules": [
            {
                "verbs": [verb],
                "apiGroups": ["*"],
                "resources": ["*"],
                "clusterScope": True,
                "namespaces": ["*"],
            }
        ],
    }
    return {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": f"{NAME}-{verb}"},
        "spec": {
            "priorityLevelConfiguration": {"name": "workload-low"},
            "matchingPrecedence": 800,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [rule],
        },
    }


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at a moment; ``cpu`` in seconds, ``rss`` and ``peak`` in MiB, ``requests`` by verb."""

    at: float
    cpu: float
    rss: float
    peak: float
    requests: dict[str, float]
    queries: int
    busy: float
    """CPU seconds of the whole machine, all of its programs together."""


async def read(api: Api, pid: int, *, queries: int) -> Reading:
    """All counters now."""
    requests = dict.fromkeys(VERBS, 0.0)
    for verb, count in _COUNTED.findall(await api.text("/metrics")):
        requests[verb] += float(count)
    cpu, rss, peak = process(pid)
    return Reading(time.time(), cpu, rss, peak, requests, queries, machine())


def process(pid: int) -> tuple[float, float, float]:
    """(CPU seconds, resident MiB, their peak) of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    )
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return cpu, int(status["VmRSS"].split()[0]) / 1024, int(status["VmHWM"].split()[0]) / 1024


def machine() -> float:
    """CPU seconds anybody used since boot."""
    user, nice, system, _, _, irq, softirq, *_ = (
        int(x) for x in Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / _TICKS


def cost(before: Reading, after: Reading) -> dict[str, object]:
    """What a minute in between cost."""
    minutes = (after.at - before.at) / 60
    verbs = {
        verb: round((after.requests[verb] - before.requests[verb]) / minutes, 1)
        for verb in VERBS
        if after.requests[verb] != before.requests[verb]
    }
    busy = (after.busy - before.busy) / (after.at - before.at) / (os.cpu_count() or 1)
    return {
        "seconds": round(after.at - before.at, 1),
        "promql_per_minute": round((after.queries - before.queries) / minutes, 1),
        "api_requests_per_minute": verbs,
        "cpu_seconds_per_minute": round((after.cpu - before.cpu) / minutes, 2),
        "rss_mib": round(after.rss),
        "rss_peak_mib": round(after.peak),
        "machine_busy": round(busy, 2),
    }
