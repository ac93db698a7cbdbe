"""The whole way: two support agents behind a real Envoy, each asking the stable version again through the same Envoy."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.dataplane.conftest import Router, free_port, listening, until
from tests.kit.reading import Reading

SESSIONS = 60
START = 90.0
"""Seconds for two interpreters to import what an agent needs, on a busy machine."""
ARMS = (("candidate", "2.0.0", 4_000), ("stable", "1.0.0", 2_000), ("control", "1.0.0", 4_000))
QUESTIONS = ("Where is my order A-{}?", "I want my money back for A-{}.", "How may I pay for A-{}?")


@dataclass
class Pod:
    """One process of the support agent."""

    version: str
    port: int
    metrics_port: int
    process: subprocess.Popen[bytes]

    def read(self) -> Reading:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as answer:
            return Reading(answer.read().decode())


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Any]:
    started: list[Pod] = []

    def start(version: str, **env: str) -> Pod:
        port, metrics_port = free_port(), free_port()
        variables = {
            "SUPPORT_PORT": str(port),
            "SUPPORT_LATENCY_MS": "0",
            "SUPPORT_WRONG_PERCENT": "0",
            "AGENT_METRICS_PORT": str(metrics_port),
            "AGENT_NAME": "support",
            "AGENT_VERSION": version,
            "AGENT_DRAIN_SECONDS": "0",
            **env,
        }
        with (tmp_path / f"{version}.log").open("ab") as log:
            command = [sys.executable, "-m", "support_agent"]
            process = subprocess.Popen(command, env=os.environ | variables, stdout=log, stderr=log)
        started.append(Pod(version, port, metrics_port, process))
        return started[-1]

    yield start
    for pod in started:
        pod.process.send_signal(signal.SIGKILL)
        pod.process.wait(10)


def announce(router: Router, pod: Pod) -> None:
    service = f"support-{pod.version.replace('.', '-')}"
    router.slices.put(
        {
            "metadata": {
                "namespace": "shop",
                "name": service,
                "labels": {"kubernetes.io/service-name": service},
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": pod.port}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        }
    )


async def begin(router: Router, pods: Any, **env: str) -> tuple[Pod, Pod]:
    """The old version and one that says the same in other words, behind the router."""
    arms = [
        {"cohort": c, "version": v, "service": f"support-{v.replace('.', '-')}", "share": s}
        for c, v, s in ARMS
    ]
    router.route(arms, sticky={"header": "x-user-id"})
    url = f"http://127.0.0.1:{router.ports['support']}"
    sampling = {"AGENT_SHADOW_PERCENT": "100", "AGENT_SHADOW_PER_MINUTE": "10000", "AGENT_SHADOW_URL": url}
    old = pods("1.0.0", **sampling, **env)
    new = pods("2.0.0", SUPPORT_REWORDED_PERCENT="100", **sampling, **env)
    for pod in (old, new):
        await until(
            lambda pod=pod: listening(pod.port), f"{pod.version} listens; see its log", deadline=START
        )
        announce(router, pod)
    await router.settle()
    return old, new


async def ask(router: Router) -> dict[str, int]:
    """Whole sessions, one user after the other; how many were whose."""
    seen = {"candidate": 0, "stable": 0, "control": 0}
    url = f"http://127.0.0.1:{router.ports['support']}/v1/tasks"
    for number in range(SESSIONS):
        text = QUESTIONS[number % len(QUESTIONS)].format(1000 + number)
        headers = {"x-user-id": f"user-{number}"}
        async with router.session.post(
            url, json={"text": text, "end_session": True}, headers=headers
        ) as answer:
            assert answer.status == 200
            seen[answer.headers["x-agent-cohort"]] += 1
    return seen


async def settled(router: Router, old: Pod, new: Pod, seen: dict[str, int]) -> tuple[Reading, Reading]:
    """The counters when every session has closed, which none does before its score came or was given up."""

    async def closed() -> bool:
        return sum(pod.read()("agent_sessions_closed_total") for pod in (old, new)) == sum(seen.values())

    await until(closed, "every session is closed", deadline=START)
    return old.read(), new.read()


def mean_score(reading: Reading, cohort: str, sessions: int) -> float:
    labels = {"score": "output_similarity", "cohort": cohort}
    assert reading("agent_session_scores_total", **labels) == sessions
    return reading("agent_session_score_sum_total", **labels) / sessions


@pytest.mark.asyncio
@pytest.mark.parametrize("shadows", [True])
async def test_a_candidate_that_rewords_is_less_like_the_old_version_than_that_is_like_itself(
    router: Router, pods: Any
) -> None:
    old, new = await begin(router, pods)
    seen = await ask(router)
    assert min(seen.values()) > 0
    stable, candidate = await settled(router, old, new, seen)
    assert mean_score(stable, "control", seen["control"]) == 1
    assert mean_score(candidate, "candidate", seen["candidate"]) < 0.5
    assert stable("agent_session_scores_total", cohort="stable") == 0
    for cohort in ("candidate", "control"):
        assert stable("agent_shadow_tasks_total", cohort=cohort) == seen[cohort]
        assert stable("agent_shadow_cost_usd_total", cohort=cohort) > 0
    assert candidate("agent_shadow_tasks_total") == 0
    tasks = {
        cohort: stable("agent_tasks_total", cohort=cohort) + candidate("agent_tasks_total", cohort=cohort)
        for cohort in ("candidate", "stable", "control", "none")
    }
    assert tasks == {**seen, "none": 0}


@pytest.mark.asyncio
async def test_where_the_router_takes_no_shadows_nothing_is_scored_and_nothing_asked(
    router: Router, pods: Any
) -> None:
    old, new = await begin(router, pods)
    seen = await ask(router)
    stable, candidate = await settled(router, old, new, seen)
    for reading, cohort in ((candidate, "candidate"), (stable, "control")):
        assert reading("agent_session_scores_total", cohort=cohort) == 0
        assert reading("agent_shadow_dropped_total", cohort=cohort, reason="refused") == seen[cohort]
    assert stable("agent_shadow_tasks_total") == 0
    assert stable("agent_tasks_total") + candidate("agent_tasks_total") == SESSIONS


@pytest.mark.asyncio
@pytest.mark.parametrize("shadows", [True])
async def test_a_stable_version_that_hangs_up_costs_no_task(router: Router, pods: Any) -> None:
    old, new = await begin(router, pods)
    with socket.create_server(("127.0.0.1", 0)) as dead:
        port = dead.getsockname()[1]
    announce(router, Pod("1.0.0", port, 0, old.process))
    await router.settle()
    url = f"http://127.0.0.1:{router.ports['support']}/v1/tasks"
    served = 0
    for number in range(20):
        task = {"text": "How may I pay?", "end_session": True}
        async with router.session.post(url, json=task, headers={"x-user-id": f"user-{number}"}) as answer:
            if answer.headers["x-agent-cohort"] == "candidate":
                assert answer.status == 200
                served += 1
    assert served
    _, candidate = await settled(router, old, new, {"candidate": served})
    assert candidate("agent_tasks_total", cohort="candidate", outcome="success") == served
    dropped = candidate("agent_shadow_dropped_total", cohort="candidate")
    assert (dropped, candidate("agent_session_scores_total")) == (served, 0)
