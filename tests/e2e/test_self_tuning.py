"""A share that follows the failure rate of the last outcomes, and the pods of the version before."""

from __future__ import annotations

from agent_load import misanswered, routing_errors, started_after
from tests.e2e.conftest import MakeSpace
from tests.e2e.moves import unexplained_moves
from tests.e2e.space import poll

TUNING = {
    "selfTuning": {"start": "10%", "maxStep": "20%", "minimumSamples": 40, "window": 50, "interval": "3s"}
}
WARM = {"warmFor": "20s", "deadline": "5s", "coolDown": "0s"}


def test_the_share_follows_the_failure_rate(make_space: MakeSpace) -> None:
    space = make_space("e2e-tuning")
    space.first(strategy=TUNING, rollback=WARM)
    space.users()
    space.propose("2.0.0")
    space.until("the gate", lambda s: s.get("phase") == "AwaitingApproval", seconds=120)
    assert [share for share in space.shares("2.0.0") if share] == [1_000, 3_000, 5_000, 7_000, 9_000]
    space.approve("2.0.0")
    space.until("the promotion", lambda s: s["stable"]["version"] == "2.0.0", seconds=30)
    poll(
        lambda: space.replicas["support-1-0-0"][-1],
        lambda size: size == (0, 0),
        name="the version before is no longer kept warm",
        seconds=60,
    )

    space.propose("2.1.0")
    status = space.until("the rollback", lambda s: (s.get("rejected") or {}).get("version") == "2.1.0")
    assert status["rejected"]["reason"] == "FailureRate"
    worse = [share for share in space.shares("2.1.0") if share]
    assert worse == [1_000], "straight to the floor"
    decided = space.history.decided("Rollback", "2.1.0")
    assert decided is not None
    ledger = space.leave()
    assert not started_after(ledger, "2.1.0", decided + 1)
    assert not routing_errors(ledger)
    assert not misanswered(ledger)
    assert not unexplained_moves(ledger, space.history.changes)
    space.counts_are_true(ledger)
