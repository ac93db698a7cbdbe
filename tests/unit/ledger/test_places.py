"""What goes by the id of a task: whether it is held out, and its place in the list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.ledger.holdout import held_out
from agentrollouts.ledger.names import DNS_LABEL
from agentrollouts.ledger.paging import Place, from_cursor, to_cursor

IDS = st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}")


@given(IDS, st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_larger_share_keeps_what_a_smaller_one_held_out(task: str, one: int, other: int) -> None:
    assert held_out(task, min(one, other)) <= held_out(task, max(one, other))
    assert not held_out(task, 0)
    assert held_out(task, 10_000)


def test_the_share_is_that_of_the_tasks() -> None:
    assert sum(held_out(f"{number:032x}", 1_000) for number in range(10_000)) == pytest.approx(1_000, abs=120)


@given(st.integers(-(10**18) + 1, 10**18 - 1), IDS, st.from_regex(DNS_LABEL, fullmatch=True))
def test_a_cursor_is_the_place_it_was_made_of(finished: int, task: str, namespace: str) -> None:
    place = Place(finished, task, namespace)
    assert from_cursor(to_cursor(place)) == place


@given(st.text())
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="begin anew"):
        from_cursor(text)
