"""The entry command of a replay before traffic as a process, with the words of the Job, against real agents in replay mode."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from agentrollouts.proving import STOPPED
from tests.replay.lanes import Start, document, written
from tests.replay.step import NEW, Step


def recorded(folder: Path, count: int = 40, **fields: Any) -> None:
    """Questions about orders, answered as they are."""
    tool = {
        "name": "lookup_order",
        "result": {"item": "lamp", "status": "shipped", "refundable": True},
        "error": None,
    }
    written(
        folder / "tasks.jsonl",
        [
            document(n, toolCalls=[{**tool, "arguments": {"order": f"A-{1000 + n}"}}], **fields)
            for n in range(count)
        ],
    )


def test_a_candidate_that_decides_as_before_passes_once_its_pod_is_there(
    tmp_path: Path, port: int, start: Start
) -> None:
    recorded(tmp_path, 90)
    incumbent, candidate = (start(AGENT_VERSION=v, SUPPORT_WRONG_PERCENT="0") for v in ("1.0.0", "2.0.0"))
    step = Step(tmp_path, port, (candidate, incumbent), tasks=90, maximumDisagreement="5%")
    # NB: nobody waited for the agents: the step does, as for pods.
    status, said, out = step.run()
    assert (status, said.verdict, said.cases, said.changed, said.errors) == (0, "PASS", 90, 0, 0), said
    assert (said.excess, float(said.excess_high) <= 0.05) == ("0.0000", True)
    log = json.loads(out)
    assert said.statement_digest == f"sha256:{hashlib.sha256(log['statement'].encode()).hexdigest()}"
    statement = json.loads(log["statement"])
    assert statement["predicateType"] == "https://agentrollouts.io/attestations/replay/v1"
    assert statement["subject"] == [{"name": "support-2.0.0", "digest": {"sha256": "b" * 64}}]
    assert (log["report"]["candidate"]["version"], log["report"]["incumbent"]["version"]) == (
        "2.0.0",
        "1.0.0",
    )


def test_a_candidate_that_decides_otherwise_fails(tmp_path: Path, port: int, start: Start) -> None:
    recorded(tmp_path)
    incumbent, candidate = (
        start(AGENT_VERSION="1.0.0", SUPPORT_WRONG_PERCENT="0"),
        start(AGENT_VERSION="2.0.0", SUPPORT_WRONG_PERCENT="90"),
    )
    status, said, _ = Step(tmp_path, port, (candidate, incumbent)).run()
    assert (status, said.verdict, said.changed > 20) == (1, "FAIL", True), said


def test_too_few_tasks_for_a_verdict_are_no_verdict(tmp_path: Path, port: int, start: Start) -> None:
    recorded(tmp_path, 8)
    incumbent, candidate = (start(AGENT_VERSION=v, SUPPORT_WRONG_PERCENT="0") for v in ("1.0.0", "2.0.0"))
    status, said, _ = Step(tmp_path, port, (candidate, incumbent)).run()
    assert (status, said.verdict, said.cases) == (2, "INVALID", 8)
    assert "tasks would tell" in said.message


def test_an_agent_that_isnt_in_replay_mode_is_never_asked(tmp_path: Path, port: int, start: Start) -> None:
    recorded(tmp_path)
    incumbent, candidate = start(AGENT_VERSION="1.0.0"), start(AGENT_VERSION="2.0.0", AGENT_REPLAY="0")
    status, said, _ = Step(tmp_path, port, (candidate, incumbent)).run()
    assert (status, said.verdict) == (2, "INVALID")
    assert "doesn't say that it is in replay mode" in said.message


def test_another_artifact_than_was_to_be_replayed_has_no_verdict(
    tmp_path: Path, port: int, start: Start
) -> None:
    recorded(tmp_path)
    incumbent = start(AGENT_VERSION="1.0.0", SUPPORT_WRONG_PERCENT="0")
    other = start(AGENT_VERSION="2.0.0", SUPPORT_WRONG_PERCENT="0", AGENT_RELEASE_DIGEST="sha256:" + "c" * 64)
    status, said, _ = Step(tmp_path, port, (other, incumbent)).run()
    assert (status, said.verdict) == (2, "INVALID")
    assert f"was sha256:{'c' * 64}, and {NEW.digest} was to be replayed" in said.message


def test_only_what_users_met_as_successes(tmp_path: Path, port: int, start: Start) -> None:
    recorded(tmp_path, outcome="failure")
    incumbent, candidate = (start(AGENT_VERSION=v, SUPPORT_WRONG_PERCENT="0") for v in ("1.0.0", "2.0.0"))
    status, said, _ = Step(tmp_path, port, (candidate, incumbent), outcome="Success").run()
    assert (status, said.verdict, said.cases) == (2, "INVALID", 0)
    assert "no task could be replayed" in said.message


def test_a_deadline_is_said(tmp_path: Path, port: int, start: Start) -> None:
    recorded(tmp_path)
    incumbent, candidate = (start(AGENT_VERSION=v, SUPPORT_LATENCY_MS="600000") for v in ("1.0.0", "2.0.0"))
    step = Step(tmp_path, port, (candidate, incumbent), taskTimeout="1h")
    process = step.start()
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"0 of 80"), "it has begun to ask"
    process.terminate()
    status, said, _ = step.ended(process)
    assert (status, said.verdict) == (STOPPED, "INVALID"), (
        "no verdict: an evicted pod's Job makes another one"
    )
    assert said.message == "it was told to stop before it was done"
