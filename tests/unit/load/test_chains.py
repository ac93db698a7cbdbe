"""A user who was away during several changes of shares may have moved along all of them."""

from __future__ import annotations

from agent_load import Ledger, Row, ShareChange, changed_sides

OLD, NEW, NEXT = ("stable", "1.0.0"), ("candidate", "2.0.0"), ("stable", "2.0.0")
START = ShareChange(10.0, {OLD: 10_000}, {NEW: 5_000, OLD: 5_000})
PROMOTED = ShareChange(20.0, {NEW: 5_000, OLD: 5_000}, {NEXT: 10_000})


def ledger(*met: tuple[float, tuple[str, str]]) -> Ledger:
    rows = Ledger()
    for at, (cohort, version) in met:
        rows.append(
            Row(
                sent=at,
                routed=at,
                done=at + 0.1,
                user=1,
                session=1,
                status=200,
                version=version,
                cohort=cohort,
                verdict="right",
            )
        )
    return rows


def test_two_changes_one_after_the_other_explain_a_move() -> None:
    third = ShareChange(30.0, {NEXT: 10_000}, {("candidate", "3.0.0"): 1_000, NEXT: 9_000})
    moved = ledger((5.0, OLD), (40.0, ("candidate", "3.0.0")))
    assert not changed_sides(moved, [START, PROMOTED, third])


def test_the_way_back_is_explained_by_nothing() -> None:
    assert len(changed_sides(ledger((15.0, NEW), (16.0, OLD)), [START, PROMOTED])) == 1


def test_changes_in_the_wrong_order_explain_nothing() -> None:
    shrunk = ShareChange(12.0, {NEW: 5_000, OLD: 5_000}, {OLD: 10_000})
    assert len(changed_sides(ledger((5.0, OLD), (40.0, NEW)), [shrunk])) == 1
