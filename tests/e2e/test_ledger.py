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
from hack.demo.kubectl import Kubectl
from hack.learn.ledger import forwarded, token
from tests.e2e.conftest import MakeSpace, program
from tests.e2e.space import poll

WORSE = "2.1.0"
TOKEN = "agent-rollouts-ledger"
Command = Callable[..., str]


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
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": TOKEN},
        "stringData": {"agent": token(ledger, "agent")},
    }
    space.kubectl.apply(secret)
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
