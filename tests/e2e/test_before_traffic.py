"""What a candidate proves before it gets any traffic: the same agents, asked past the router by a Job."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from agent_load import routing_errors
from tests.e2e.conftest import MakeSpace
from tests.e2e.space import Space

GOLDEN = Path(__file__).resolve().parents[2] / "agents" / "support" / "evals" / "golden.yaml"
ENTRY: dict[str, Any] = {
    "name": "golden",
    "timeout": "5m",
    "eval": {
        "dataset": {"configMap": "support-evals", "key": GOLDEN.name},
        "minimumScore": "80%",
        "repeat": 2,
        "baseline": {"stable": True},
        "path": "/v1/tasks",
        "answer": "label",
    },
}
WORSE, BETTER = "2.1.0", "2.0.0"


def _its_log_has_what_was_stated(space: Space, proof: dict[str, Any]) -> None:
    log = space.kubectl.run("logs", f"job/{proof['job']}")
    said = next(json.loads(line)["statement"] for line in log.splitlines() if line.startswith("{"))
    assert proof["statementDigest"] == f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"


def test_a_candidate_gets_no_traffic_before_it_has_proven_itself(make_space: MakeSpace) -> None:
    space = make_space("e2e-before")
    space.first(beforeTraffic=[ENTRY])
    space.users(rate=10)
    space.propose(WORSE)
    space.until(
        "what the Job waits for", lambda s: "it needs ConfigMap support-evals" in s["message"], seconds=180
    )
    # It came too late, and the kubelet looks again by itself.
    space.kubectl.run("create", "configmap", "support-evals", f"--from-file={GOLDEN}")
    status = space.until(
        "the evaluation failed", lambda s: (s.get("rejected") or {}).get("version") == WORSE, seconds=240
    )
    assert status["rejected"]["reason"] == "EvalFailed"
    assert status["rejected"]["message"].startswith("golden: ")

    space.propose(BETTER)
    status = space.until("a share", lambda s: (s.get("candidate") or {}).get("share"), seconds=240)
    (proof,) = status["candidate"]["proofs"]
    assert (proof["name"], proof["verdict"], proof["errors"]) == ("golden", "PASS", 0)
    assert float(proof["score"]) >= 0.8
    assert proof["finishedAt"] <= status["candidate"]["firstShareAt"]
    _its_log_has_what_was_stated(space, proof)
    space.until("the gate", lambda s: s.get("phase") == "AwaitingApproval", seconds=120)
    assert [(each["name"], each["verdict"]) for each in space.gate(BETTER)["spec"]["proofs"]] == [
        ("golden", "PASS")
    ]

    ledger = space.leave()
    assert not routing_errors(ledger)
    assert not any(space.shares(WORSE)), "not one basis point"
    assert not [row for row in ledger.rows() if row.routed_version == WORSE]
