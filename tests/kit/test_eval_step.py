"""The entry command of a Job before traffic as a process, against the real sample agent in two versions and the example's dataset."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from agentrollouts.api.before_traffic import ProofSummary
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.eval_job import eval_arguments
from agentrollouts.core.manifests import Named
from agentrollouts.core.proof_subject import Subject
from agentrollouts.core.snapshot import VersionView

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 300.0
SUPPORT = ROOT / "agents" / "support"
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listen(process: subprocess.Popen[bytes], port: int) -> None:
    """Until the agent takes connections."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the agent ended while it started"
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    pytest.fail("the agent does not listen")


@pytest.fixture(scope="module")
def agents() -> Iterator[dict[str, str]]:
    """Profile to URL of a running agent."""
    urls, processes = {}, []
    for profile in ("good", "better", "silently-worse"):
        port = free_port()
        given = {
            "SUPPORT_PORT": str(port),
            "AGENT_METRICS_PORT": str(free_port()),
            "SUPPORT_PROFILE": profile,
        }
        command = [sys.executable, "-m", "support_agent"]
        processes.append(subprocess.Popen(command, env={**ENV, **given}, stderr=subprocess.DEVNULL))
        urls[profile] = f"http://127.0.0.1:{port}/v1/tasks"
        listen(processes[-1], port)
    yield urls
    for process in processes:
        process.kill()
        process.wait()


def evaluated(folder: Path, candidate: str, stable: str) -> tuple[int, ProofSummary, str]:
    """Exit status, summary and log of the Job's command, with nothing changed but where things are."""
    spec = yaml.safe_load((SUPPORT / "manifests" / "rollout-before-traffic.yaml").read_text())["spec"]
    entry = RolloutSpec.model_validate(spec).before_traffic[0]
    assert entry.eval is not None
    views = [
        VersionView(version, f"sha256:{letter * 64}", 1, f"support-{version.replace('.', '-')}")
        for version, letter in (("2.0.0", "b"), ("1.0.0", "a"))
    ]
    subject = Subject(Named("shop", "support", "u"), "support", views[0], views[0].digest, 1, views[1])
    here = {
        "--dataset": str(SUPPORT / "evals" / "golden.yaml"), "--target": candidate, "--stable": stable,
        "--repeat": "2",
    }  # fmt: skip
    words = [word.partition("=") for word in eval_arguments(entry.eval, subject)]
    command = [f"{name}={here.pop(name, value)}" for name, _, value in words]
    assert not here
    done = subprocess.run(
        [sys.executable, "-m", "agentrollouts", "eval", *command, f"--summary={folder / 'said'}"],
        env=ENV, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, ProofSummary.model_validate_json((folder / "said").read_bytes()), done.stdout


def test_a_version_as_good_as_the_stable_one_passes(agents: dict[str, str], tmp_path: Path) -> None:
    status, said, log = evaluated(tmp_path, agents["better"], agents["good"])
    assert (status, said.verdict, said.cases, said.errors) == (0, "PASS", 30, 0), said
    assert len(json.loads(log)["results"]["cases"]) == 30


def test_a_version_that_is_silently_worse_fails(agents: dict[str, str], tmp_path: Path) -> None:
    status, said, _ = evaluated(tmp_path, agents["silently-worse"], agents["good"])
    assert (status, said.verdict) == (1, "FAIL"), said
    assert float(said.score) < float(said.baseline_score)
