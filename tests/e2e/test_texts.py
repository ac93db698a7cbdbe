"""Whoever is asked to approve reads what changed, line by line: from the releases in the namespace, with the rights that the chart gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from agentrollouts.release.artifact import agent_version
from agentrollouts.release.source import read_source
from hack.demo import manifests
from tests.e2e.conftest import MakeSpace
from tests.e2e.space import Space
from tests.releases import directory

OLD, NEW = "1.0.0", "2.0.0"


def _agentrollout(space: Space, *words: str) -> str:
    """``agentrollout`` as a user runs it."""
    env = {**os.environ, "KUBECONFIG": str(space.kubectl.kubeconfig)}
    command = [sys.executable, "-m", "agentrollouts.cli.app", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _released(space: Space, folder: Path, semver: str, rule: str) -> None:
    """The release's texts in a ConfigMap, and its version with the sample agent's pods."""
    source = directory(folder / semver, version=semver)
    (source / "prompts" / "system.md").write_text(f"You are a support agent.\n{rule}\n")
    space.kubectl.run("create", "-f", "-", stdin=_agentrollout(space, "release", "configmap", str(source)))
    body = agent_version(read_source(source))
    body["spec"] |= {"template": manifests.version(semver)["spec"]["template"], "replicas": 1}
    space.kubectl.apply(body)


def test_a_gate_shows_the_lines_of_the_prompt_that_differ(make_space: MakeSpace, tmp_path: Path) -> None:
    space = make_space("e2e-texts")
    _released(space, tmp_path, OLD, "Be brief.")
    quick = {"steps": [{"share": "50%", "soak": "1s"}]}
    analysis = {"mode": "threshold", "interval": "1s", "minimumSessions": 1}
    space.kubectl.apply(manifests.rollout(OLD, strategy=quick, analysis=analysis))
    space.until("the first version serves", lambda s: (s.get("stable") or {}).get("version") == OLD)
    _released(space, tmp_path, NEW, "Promise nothing.")
    space.users(rate=30)
    space.change(version=NEW)
    space.until("the gate", lambda s: s.get("phase") == "AwaitingApproval", seconds=120)
    lines = "-Be brief.\n+Promise nothing.\n"
    assert lines in space.gate(NEW)["spec"]["diff"]
    shown = _agentrollout(space, "get", manifests.AGENT, "-n", space.kubectl.namespace)
    assert "-Be brief." in shown
    assert "+Promise nothing." in shown
