"""A rollback as users meet it: a flip, not a fault, for plain requests, event streams and WebSockets."""

from __future__ import annotations

from agent_load import misanswered, routing_errors, started_after
from tests.e2e.conftest import MakeSpace
from tests.e2e.moves import unexplained_moves
from tests.e2e.space import ANALYSIS, Space, poll

STREAMS = ("--sse", "0.3", "--ws", "0.3", "--sse-chunks", "20", "--sse-interval", "0.05")
PATIENT = {**ANALYSIS, "minimumSessions": 80}
"""So many sessions that each kind of request is among them: none of a kind has a chance of 0.7^80."""
DEADLINE = 8
WORSE, SLOW = "2.1.0", "2.2.0"


def _gone(space: Space, deployment: str, *, seconds: float) -> None:
    poll(
        lambda: (space.kubectl.get("deployment", deployment) or {}).get("spec", {}).get("replicas"),
        lambda replicas: replicas == 0,
        name=f"{deployment} scaled down",
        seconds=seconds,
    )


def test_a_rollback_is_a_flip(make_space: MakeSpace) -> None:
    space = make_space("e2e-rollback")
    policy = {"warmFor": "30m", "deadline": f"{DEADLINE}s", "sessions": "drain", "coolDown": "0s"}
    space.first(rollback=policy, analysis=PATIENT)
    space.users(*STREAMS)

    space.propose(WORSE)
    status = space.until("the rollback", lambda s: (s.get("rejected") or {}).get("version") == WORSE)
    assert status["rejected"]["reason"] == "CheckFailed"
    _gone(space, "support-2-1-0", seconds=DEADLINE + 15)

    space.propose(SLOW, rollback={**policy, "sessions": "evict"})
    space.met(SLOW, requests=80)
    space.request("abort", "enough")
    status = space.until("the abort", lambda s: (s.get("rejected") or {}).get("version") == SLOW)
    assert status["rejected"]["reason"] == "Aborted"
    _gone(space, "support-2-2-0", seconds=DEADLINE)

    ledger = space.leave()
    assert len(ledger) > 300
    for version in (WORSE, SLOW):
        decided = space.history.decided("Rollback", version)
        assert decided is not None
        assert any(row.version == version for row in ledger.rows()), f"{version} had no traffic at all"
        assert {row.mode for row in ledger.rows() if row.version == version} == {"http", "sse", "ws"}
        assert not started_after(ledger, version, decided + 1)
        # Streams and sockets that were open finish their answers, under drain and evict alike.
        assert all(row.done <= decided + DEADLINE for row in ledger.rows() if row.version == version)
    assert not routing_errors(ledger)
    assert not misanswered(ledger)
    assert not unexplained_moves(ledger, space.history.changes)
    sizes = space.replicas["support-1-0-0"]
    serving = sizes[sizes.index((2, 2)) :]
    assert all(size == (2, 2) for size in serving), f"the stable pods were touched: {serving}"
    space.counts_are_true(ledger)
    assert [h["outcome"] for h in space.status["history"]] == ["Installed", "RolledBack", "Aborted"]
