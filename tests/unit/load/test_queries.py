from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_load import (
    Ledger,
    Row,
    ShareChange,
    changed_sides,
    misanswered,
    outcomes,
    routing_errors,
    started_after,
    summary,
)

OLD, NEW = "1.0.0", "2.0.0"
CANDIDATE, STABLE, CONTROL = ("candidate", NEW), ("stable", OLD), ("control", OLD)
RING = 10_000


def row(at: float, arm: tuple[str, str], *, user: int = 1, seconds: float = 0.1, **more) -> Row:
    cohort, version = arm
    values = {
        "sent": at, "routed": at, "first_byte": at + seconds, "done": at + seconds, "user": user, "session": 1,
        "status": 200, "version": version, "routed_version": version, "cohort": cohort, "verdict": "right", "label": "x",
    }  # fmt: skip
    return Row(**{**values, **more})


def ledger_of(*rows: Row) -> Ledger:
    ledger = Ledger()
    for each in rows:
        ledger.append(each)
    return ledger


def shares(candidate: int, control: int) -> dict[tuple[str, str], int]:
    return {CANDIDATE: candidate, STABLE: RING - candidate - control, CONTROL: control}


GROWTH = ShareChange(100.0, shares(500, 500), shares(2000, 500))
ROLLBACK = ShareChange(100.0, shares(2000, 500), {STABLE: RING})


@pytest.mark.parametrize(
    ("left", "joined", "changes", "moved"),
    [
        (STABLE, CANDIDATE, [GROWTH], 0),
        (STABLE, STABLE, [GROWTH], 0),
        (STABLE, CANDIDATE, [], 1),
        (CANDIDATE, STABLE, [GROWTH], 1),
        (CANDIDATE, CONTROL, [GROWTH], 1),
        (STABLE, CONTROL, [GROWTH], 1),
        (CONTROL, STABLE, [GROWTH], 1),
        (CONTROL, CANDIDATE, [GROWTH], 1),
        (CANDIDATE, STABLE, [ROLLBACK], 0),
        (CONTROL, STABLE, [ROLLBACK], 0),
        (STABLE, CANDIDATE, [ROLLBACK], 1),
        (CANDIDATE, ("stable", NEW), [ShareChange(100.0, shares(5000, 500), {("stable", NEW): RING})], 0),
    ],
)
def test_only_a_change_of_shares_is_a_reason_to_move(left, joined, changes, moved):
    ledger = ledger_of(row(90.0, left), row(110.0, joined))
    assert len(changed_sides(ledger, changes)) == moved


@pytest.mark.parametrize("at", [90.0, 300.0])
def test_a_change_at_another_time_is_no_reason(at):
    ledger = ledger_of(row(at, STABLE), row(at + 1, CANDIDATE))
    assert len(changed_sides(ledger, [GROWTH])) == 1


def test_a_router_that_follows_late_is_no_reason_but_going_back_is_found():
    late = ledger_of(row(101.0, STABLE), row(103.0, CANDIDATE))
    assert not changed_sides(late, [GROWTH])
    torn = ledger_of(row(99.0, STABLE), row(100.2, CANDIDATE), row(100.4, STABLE), row(100.6, CANDIDATE))
    moves = changed_sides(torn, [GROWTH])
    assert [(move.left, move.joined) for move in moves] == [(CANDIDATE, STABLE)]


def test_a_decision_that_was_written_late_explains_what_comes_of_it():
    late = ledger_of(row(108.0, STABLE), row(109.0, CANDIDATE))
    assert len(changed_sides(late, [GROWTH])) == 1
    assert not changed_sides(late, [replace(GROWTH, heard=107.0)])


def test_a_websocket_counts_as_of_its_handshake():
    long_chat = row(120.0, STABLE, routed=90.0, mode="ws")
    ledger = ledger_of(long_chat, row(130.0, CANDIDATE))
    assert not changed_sides(ledger, [GROWTH])


def test_requests_without_an_answer_are_no_side():
    ledger = ledger_of(row(90.0, STABLE), row(91.0, ("", ""), status=503, error="http"), row(92.0, STABLE))
    assert not changed_sides(ledger, [])


def arm_of(position: int, candidate: int, control: int) -> tuple[str, str]:
    if position < candidate:
        return CANDIDATE
    return CONTROL if position >= RING - control else STABLE


@given(
    steps=st.lists(st.integers(1, 8000), min_size=1, max_size=6, unique=True).map(sorted),
    positions=st.lists(st.integers(0, RING - 1), min_size=1, max_size=30),
)
def test_arms_in_ring_order_move_nobody_without_reason(steps, positions):
    rows, changes, before = [], [], 0
    for number, share in enumerate(steps):
        at = 100.0 * (number + 1)
        if number:
            changes.append(ShareChange(at, shares(before, 500), shares(share, 500)))
        before = share
        rows += [row(at + 50, arm_of(where, share, 500), user=user) for user, where in enumerate(positions)]
    assert not changed_sides(ledger_of(*rows), changes)


def test_errors_of_the_router_are_told_from_the_agent_s():
    ledger = ledger_of(
        row(1.0, STABLE),
        row(2.0, STABLE, status=500, error="http", verdict="none", label=""),
        row(3.0, STABLE, status=400, error="http", verdict="none", label=""),
        row(4.0, ("", ""), status=503, error="http", verdict="none", label=""),
        row(5.0, ("", ""), status=0, error="reset", verdict="none", label=""),
        row(6.0, ("", ""), status=0, error="abandoned", verdict="none", label=""),
    )
    assert [each.sent for each in routing_errors(ledger)] == [4.0, 5.0]
    assert summary(ledger)["routing_errors"] == {"http 503": 1, "reset": 1}
    assert outcomes(ledger)[OLD, "stable", "failure"] == 1


def test_late_requests_to_a_version():
    ledger = ledger_of(row(9.0, CANDIDATE), row(10.0, CANDIDATE), row(11.0, STABLE), row(12.0, CANDIDATE))
    assert [each.sent for each in started_after(ledger, NEW, 10.0)] == [10.0, 12.0]


def test_an_answer_by_another_version_than_named_is_found():
    ledger = ledger_of(row(1.0, STABLE), row(2.0, STABLE, version=NEW))
    assert [each.sent for each in misanswered(ledger)] == [2.0]


@pytest.mark.parametrize(
    ("label", "verdict", "outcome"),
    [
        ("shipped", "right", "success"), ("shipped", "wrong", "failure"),
        ("refused", "right", "refused"), ("refused", "wrong", "refused"),
        ("escalated", "right", "escalated"), ("", "none", "none"),
    ],
)  # fmt: skip
def test_the_outcome_an_honest_agent_reports(label, verdict, outcome):
    ledger = ledger_of(row(1.0, STABLE, label=label, verdict=verdict))
    assert outcomes(ledger) == {(OLD, "stable", outcome): 1}
