"""Finished tasks and the evidence of a rollback, kept in the cluster by the ledger that the chart installs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hack.demo import install, manifests
from hack.demo.kubectl import Kubectl, KubectlError
from hack.learn.ledger import forwarded, token
from tests.e2e.conftest import MakeSpace, program
from tests.e2e.space import Space, poll
from tests.e2e.volumes import claimed, volume

WORSE, BETTER = "2.1.0", "2.0.0"
TOKEN = "agent-rollouts-ledger"
CLAIM = "replays"
Command = Callable[..., str]
REPLAY: dict[str, Any] = {
    "name": "replayed",
    "timeout": "5m",
    "replay": {
        "from": {"ledger": {"secret": TOKEN}},
        "outcome": "Success",
        "tasks": 120,
        "maximumDisagreement": "10%",
        "path": "/v1/tasks",
        "answer": "label",
    },
}


@pytest.fixture(scope="module")
def ledger(system: Kubectl) -> Iterator[Kubectl]:
    """An installation with the ledger; without it again afterwards, as the other stories have it."""
    console, helm = Console(file=sys.stderr), program("helm")
    install.chart(console, system, helm, "ledger.enabled=true", "ledger.persistence.enabled=false")
    try:
        yield system
    finally:
        install.chart(console, system, helm)


def _command(system: Kubectl, namespace: str, url: str, token: Path) -> Command:
    """``agentrollout`` as a user runs it."""
    env = {
        **os.environ,
        "KUBECONFIG": str(system.kubeconfig),
        "AGENT_ROLLOUTS_LEDGER_URL": url,
        "AGENT_ROLLOUTS_LEDGER_TOKEN_FILE": str(token),
    }

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "agentrollouts.cli.app", *words, "-n", namespace]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    return run


def _evidence_is_of(bundle: dict[str, Any], rejected: dict[str, Any]) -> None:
    facts = bundle["decision"]
    assert (facts["reason"], facts["message"]) == (rejected["reason"], rejected["message"])


def test_what_users_asked_and_why_a_version_was_taken_out_is_kept(
    make_space: MakeSpace, ledger: Kubectl, tmp_path: Path
) -> None:
    space = make_space("e2e-ledger")
    space.kubectl.apply(_secret(ledger))
    space.first()
    space.users("--tasks-per-session", "1-3", rate=20)
    space.met("1.0.0")
    space.propose(WORSE)
    rejected = space.until("the rollback", lambda s: s.get("rejected"), seconds=120)["rejected"]
    reader = tmp_path / "reader"
    reader.write_text(token(ledger, "reader"))
    with forwarded(ledger) as url:
        agentrollout = _command(ledger, space.kubectl.namespace, url, reader)
        text = poll(lambda: agentrollout("evidence", manifests.AGENT), bool, name="the evidence", seconds=60)
        bundle = json.loads(text)
        _evidence_is_of(bundle, rejected)
        lines = agentrollout("tasks", manifests.AGENT, "--failures", "--limit", "200").splitlines()
    failures = [json.loads(line) for line in lines]
    assert {each["namespace"] for each in failures} == {space.kubectl.namespace}
    worse = {each["id"] for each in failures if each["version"] == WORSE}
    assert worse
    assert set(bundle["failedTasks"]) <= worse
    assert any(call["result"] is not None for each in failures for call in each["toolCalls"])


def _secret(system: Kubectl) -> dict[str, Any]:
    """The ledger's tokens where the agent runs."""
    data = {role: token(system, role) for role in ("agent", "reader")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": TOKEN}, "stringData": data}


def _kept(agentrollout: Command) -> int:
    lines = agentrollout("tasks", manifests.AGENT, "--limit", "200").splitlines()
    return sum(json.loads(line)["outcome"] == "success" for line in lines)


def _until_enough_is_kept(space: Space, ledger: Kubectl, folder: Path) -> None:
    reader = folder / "reader"
    reader.write_text(token(ledger, "reader"))
    with forwarded(ledger) as url:
        agentrollout = _command(ledger, space.kubectl.namespace, url, reader)
        poll(lambda: _kept(agentrollout), lambda n: n >= 150, name="enough tasks", seconds=120)


def test_recorded_tasks_are_done_again_before_a_candidate_meets_a_user(
    make_space: MakeSpace, ledger: Kubectl, tmp_path: Path
) -> None:
    space = make_space("e2e-replay")
    space.kubectl.apply(_secret(ledger))
    space.first(beforeTraffic=[REPLAY])
    space.users(rate=30)
    _until_enough_is_kept(space, ledger, tmp_path)
    space.propose(WORSE)
    status = space.until(
        "a verdict", lambda s: (s.get("rejected") or {}).get("version") == WORSE, seconds=240
    )
    assert status["rejected"]["reason"] == "ReplayFailed"
    space.propose(BETTER)
    status = space.until("a share", lambda s: (s.get("candidate") or {}).get("share"), seconds=240)
    (proof,) = status["candidate"]["proofs"]
    assert (proof["kind"], proof["verdict"], proof["cases"]) == ("replay", "PASS", 120)
    assert proof["finishedAt"] <= status["candidate"]["firstShareAt"]
    jobs = poll(
        lambda: [job["metadata"]["name"] for job in space.kubectl.list("jobs")],
        lambda names: not any(name.endswith(("-candidate", "-incumbent")) for name in names),
        name="the end of the lanes",
        seconds=60,
    )
    assert proof["job"] in jobs
    users = space.leave()
    assert not [row for row in users.rows() if row.routed_version == WORSE], "not one request"
    assert not any(space.shares(WORSE)), "not one basis point"


def _answers(space: Space, pod: str) -> list[str]:
    """How far a replay's pod had come, line by line; none as long as it has no log."""
    try:
        log = space.kubectl.run("logs", pod)
    except KubectlError:
        return []
    return [line for line in log.splitlines() if line.endswith(" answers")]


def test_a_replay_whose_pod_is_lost_goes_on_in_the_next_one(
    make_space: MakeSpace, ledger: Kubectl, tmp_path: Path
) -> None:
    space = make_space("e2e-replay-lost")
    space.kubectl.apply(_secret(ledger))
    with volume(space.kubectl, CLAIM) as on_the_node:
        space.kubectl.apply(claimed(CLAIM))
        _a_lost_pod_is_no_lost_replay(space, ledger, tmp_path)
        left = on_the_node("ls -A /node")
    assert left == "", "what users asked stays no longer than it is of use"
    space.leave()


def _a_lost_pod_is_no_lost_replay(space: Space, ledger: Kubectl, tmp_path: Path) -> None:
    slowly = {**REPLAY["replay"], "concurrency": 1, "journal": {"claim": CLAIM}}
    space.first(beforeTraffic=[{**REPLAY, "replay": slowly}])
    space.users(rate=30)
    _until_enough_is_kept(space, ledger, tmp_path)
    space.propose(BETTER)
    (proof,) = space.until("the replay", lambda s: (s.get("candidate") or {}).get("proofs"), seconds=60)[
        "candidate"
    ]["proofs"]
    of_the_job = f"batch.kubernetes.io/job-name={proof['job']}"

    def pods() -> list[str]:
        return [pod["metadata"]["name"] for pod in space.kubectl.list("pods", of_the_job)]

    (lost,) = poll(pods, bool, name="the replaying pod", seconds=60)
    poll(lambda: _answers(space, lost), lambda lines: len(lines) > 1, name="an answer", seconds=180)
    space.kubectl.run("delete", "pod", lost, "--grace-period=0", "--force")
    (after,) = poll(lambda: [name for name in pods() if name != lost], bool, name="the next pod", seconds=120)
    first = poll(lambda: _answers(space, after), bool, name="where it goes on", seconds=120)[0]
    print(f"{after} went on from {first}")
    assert int(first.partition(" ")[0]) > 0

    status = space.until("a share", lambda s: (s.get("candidate") or {}).get("share"), seconds=240)
    (proof,) = status["candidate"]["proofs"]
    assert (proof["kind"], proof["verdict"], proof["cases"]) == ("replay", "PASS", 120)
