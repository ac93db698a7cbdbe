"""`python -m agentrollouts replay` as a process, with the words of the Job."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from agentrollouts.api.before_traffic import MESSAGE_BYTES, ProofSpec, ProofSummary
from agentrollouts.core.manifests import Named
from agentrollouts.core.proof_subject import Subject
from agentrollouts.core.replay_job import replay_arguments
from tests.replay.lanes import AgentProcess
from tests.unit.core.replayed import entry, with_template

DEADLINE_SECONDS = 300.0
JOB = "support-replayed-0123456789"
OLD, NEW = with_template("1.0.0", "a"), with_template("2.0.0", "b")


class Step:
    """`python -m agentrollouts replay` with the words of the Job, nothing changed but where things are."""

    def __init__(
        self, folder: Path, port: int, lanes: tuple[AgentProcess, AgentProcess], **fields: Any
    ) -> None:
        spec = ProofSpec.model_validate(entry(**{"tools": "None", "tasks": 40, **fields})).replay
        assert spec is not None
        subject = Subject(Named("shop", "support", "u-1"), "support", NEW, NEW.digest, 1, OLD)
        words = replay_arguments(JOB, spec, subject, seconds=int(2 * DEADLINE_SECONDS))
        given = dict(word.split("=", 1) for word in words)
        self.journal = folder / Path(given["--journal"]).name
        here = {
            "--candidate": lanes[0].url, "--incumbent": lanes[1].url, "--listen": f"127.0.0.1:{port}",
            "--journal": str(self.journal),
        }  # fmt: skip
        files = ("--from", "--token-file", "--embedding-key-file")
        here |= {name: str(folder / Path(given[name]).name) for name in files if name in given}
        assert set(here) <= set(given)
        given |= here | {"--summary": str(folder / "said")}
        self._folder = folder
        self._command = [
            sys.executable,
            "-m",
            "agentrollouts",
            "replay",
            *map("=".join, given.items()),
        ]

    def start(self) -> subprocess.Popen[bytes]:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        return subprocess.Popen(self._command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ended(self, process: subprocess.Popen[bytes]) -> tuple[int, ProofSummary, bytes]:
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
        body = (self._folder / "said").read_bytes() if (self._folder / "said").exists() else b""
        assert 0 < len(body) <= MESSAGE_BYTES, err.decode()
        return process.returncode, ProofSummary.model_validate_json(body), out

    def run(self) -> tuple[int, ProofSummary, bytes]:
        return self.ended(self.start())
