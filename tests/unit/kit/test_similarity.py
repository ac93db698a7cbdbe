"""What the similarity of two texts promises, whatever the texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts_kit.similarity import MAX_CHARS, similarity

TEXTS = st.text(max_size=60)
SHIPPED = "Your linen curtain (order A-1004) is shipped."


@given(TEXTS, TEXTS)
def test_it_is_a_share_and_knows_no_order(first: str, second: str) -> None:
    value = similarity(first, second)
    assert 0 <= value <= 1
    assert value == similarity(second, first) == similarity(first, second)


@given(TEXTS)
def test_a_text_is_like_itself_however_it_is_spaced_or_spelled(text: str) -> None:
    assert similarity(text, text) == 1
    assert similarity(text, f"  {text}\n") == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [("Straße", "STRASSE"), ("caf\u00e9", "cafe\u0301"), ("a  b\n c", "A b c"), ("", " \n")],
)
def test_case_space_and_spelling_make_no_difference(first: str, second: str) -> None:
    assert similarity(first, second) == 1


@given(st.text(alphabet="abc", min_size=1, max_size=30), st.text(alphabet="xyz", min_size=1, max_size=30))
def test_texts_without_a_common_character_have_nothing_in_common(first: str, second: str) -> None:
    assert similarity(first, second) == 0


@given(st.text(alphabet="abc", min_size=1, max_size=30))
def test_an_empty_answer_is_like_no_other(text: str) -> None:
    assert similarity("", text) == similarity(text, "") == 0


def test_by_hand() -> None:
    # n = 3: abc of abc, bcd against abc, bce: 1/2 either way; n = 4: abcd against abce: 0. The mean is 1/4.
    assert similarity("abcd", "abce") == pytest.approx(1 / 4)
    # Of the shorter text "a" there is no longer n-gram: 1 of 1, and 1 of 3.
    assert similarity("a", "aaa") == pytest.approx(2 * (1 / 3) / (4 / 3))


def test_nearer_wordings_score_higher() -> None:
    slip = similarity(SHIPPED, "Your linen curtain (order A-1004) is on its way.")
    reworded = similarity(SHIPPED, "We sent the curtain you ordered.")
    unrelated = similarity(SHIPPED, "We are open from nine to five on weekdays.")
    assert 1 > slip > 0.7
    assert 0.3 > reworded > unrelated
    assert unrelated < 0.1


def test_saying_it_again_and_again_is_not_the_same() -> None:
    assert similarity("Sorry. ", "Sorry. " * 10) < 0.5


def test_long_texts_are_compared_up_to_a_bound() -> None:
    start = "word " * (MAX_CHARS // 5)
    assert similarity(start + "one end", start + "another") == 1
    assert similarity("\ufdfa" * 100_000, "\ufdfa" * 200_000) == 1
