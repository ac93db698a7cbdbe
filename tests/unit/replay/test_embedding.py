"""Comparing by embeddings, where the vectors are there already."""

from __future__ import annotations

import math
from array import array
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentrollouts.replay.attempt import Attempt, Lane
from agentrollouts.replay.comparison import MISSING, Compare, Rule, compared
from agentrollouts.replay.disagreement import Done, comparisons, texts_to_embed
from agentrollouts.replay.embedding import (
    MOST_CHARS,
    MOST_TEXTS,
    THRESHOLD,
    batches,
    needs_vectors,
    similarity,
    unit,
)
from agentrollouts.replay.errors import ReplayError
from tests.unit.replay.made import attempt, record

RULE = Rule(Compare.EMBEDDING, "label", threshold=THRESHOLD, embedding_model="m")
NUMBERS = st.lists(st.integers(-1000, 1000), min_size=3, max_size=3).filter(any)
TEXT = st.text(max_size=6)


@given(st.dictionaries(TEXT, NUMBERS, min_size=2, max_size=6), st.data())
def test_similarity_is_symmetric_bounded_and_whole_for_equal_texts(
    table: dict[str, list[int]], data: st.DataObject
) -> None:
    vectors = {text: unit(numbers) for text, numbers in table.items()}
    one, other = (data.draw(st.sampled_from(sorted(table))) for _ in range(2))
    alike = similarity(one, other, vectors)
    assert -1 <= alike <= 1
    assert alike == similarity(other, one, vectors)
    assert similarity(one, one, {}) == 1
    if needs_vectors(one, other):
        expected = math.fsum(a * b for a, b in zip(table[one], table[other], strict=True))
        expected /= math.hypot(*table[one]) * math.hypot(*table[other])
        assert math.isclose(alike, expected, abs_tol=1e-6)


def test_texts_without_a_word_are_alike_and_like_no_other() -> None:
    assert (similarity("", " \n", {}), similarity("", "a", {}), similarity("a", "\t", {})) == (1, 0, 0)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4).filter(any))
@example([1.7e308, 1.7e308])
@example([5e-324, 5e-324, 0.0])
def test_a_unit_vector_has_length_one_whatever_it_is_made_of(numbers: list[float]) -> None:
    found = unit(numbers)
    assert math.isclose(math.hypot(*found), 1, abs_tol=1e-6)
    assert [math.copysign(1, number) for number in found] == [math.copysign(1, number) for number in numbers]


@pytest.mark.parametrize(
    ("numbers", "seen"),
    [
        ([0.0, 0.0], "a null vector of 2 numbers"),
        ([1.0, math.nan], "one with nan at place 1"),
        ([-math.inf], "one with -inf at place 0"),
        ([], "a null vector of 0 numbers"),
    ],
)
def test_what_has_no_direction_is_no_vector(numbers: list[float], seen: str) -> None:
    with pytest.raises(ValueError, match=seen):
        unit(numbers)


def test_without_a_vector_there_is_no_verdict() -> None:
    with pytest.raises(ReplayError, match="an answer of 4 characters has no embedding"):
        compared("paid", "settled", RULE)
    with pytest.raises(ReplayError, match=r"of 1 and of 2 numbers.*different models"):
        similarity("a", "b", {"a": array("f", [1.0]), "b": array("f", [1.0, 0.0])})


def test_the_threshold_decides_and_what_is_no_text_is_compared_as_it_is() -> None:
    vectors = {"paid": unit([1.0, 0.0]), "settled": unit([0.8, 0.6])}
    alike = similarity("paid", "settled", vectors)
    assert alike == pytest.approx(0.8)
    for threshold, same in ((alike, True), (math.nextafter(alike, 1), False)):
        found = compared("paid", "settled", Rule(Compare.EMBEDDING, threshold=threshold), vectors)
        assert (found.same, found.similarity) == (same, alike)
    assert compared("paid", "paid", RULE).same
    assert compared(1, 1.0, RULE).same
    assert [each.path for each in compared({"n": 1}, {"n": 2}, RULE).differences] == ["n"]
    assert not compared("paid", None, RULE).same
    assert not compared("paid", MISSING, RULE).same


def done_of(*labels: tuple[str, str]) -> Done:
    """The candidate's and the incumbent's label of each task; the record says `shipped`."""
    return {
        (f"{n:032x}", lane): attempt(n, lane, label)
        for n, pair in enumerate(labels)
        for lane, label in zip((Lane.CANDIDATE, Lane.INCUMBENT), pair, strict=True)
    }


def test_only_texts_that_differ_are_to_be_embedded_each_once() -> None:
    records = [record(n) for n in range(5)]
    done = done_of(("shipped", "shipped"), ("sent", "shipped"), ("sent", "on its way"), ("", " "))
    assert texts_to_embed(records, done, RULE) == ("shipped", "sent", "on its way")
    assert texts_to_embed(records, done, Rule(Compare.TEXT, "label")) == ()
    # The lanes are held against each other, too, and there no text of the record may be between them.
    assert texts_to_embed([record(0, output={"n": 1})], done_of(("sent", "lost")), RULE) == ("sent", "lost")
    failed = Attempt(task=records[0].id, lane=Lane.CANDIDATE, error="no answer")
    assert texts_to_embed(records[:1], {**done, (records[0].id, Lane.CANDIDATE): failed}, RULE) == ()


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6))
def test_what_is_to_be_embedded_is_enough_to_compare_and_none_of_it_too_much(
    labels: list[tuple[str, str]],
) -> None:
    records = [record(n) for n in range(len(labels))]
    done = done_of(*labels)
    vectors = {text: unit([1.0, n + 1.0]) for n, text in enumerate(texts_to_embed(records, done, RULE))}
    found = comparisons(records, done, RULE, vectors)
    assert comparisons(records[::-1], done, RULE, vectors) == found[::-1]
    for text in vectors:
        fewer = {name: vector for name, vector in vectors.items() if name != text}
        with pytest.raises(ReplayError):
            comparisons(records, done, RULE, fewer)


@given(st.lists(st.integers(0, 2 * MOST_CHARS), max_size=80))
def test_batches_have_every_text_in_its_order_and_are_bounded(sizes: list[int]) -> None:
    texts = ["x" * size for size in sizes]
    found = list(batches(texts))
    assert [text for batch in found for text in batch] == texts
    for batch in found:
        assert 1 <= len(batch) <= MOST_TEXTS
        assert len(batch) == 1 or sum(map(len, batch)) <= MOST_CHARS
    for before, after in pairwise(found):
        full = len(before) == MOST_TEXTS or sum(map(len, before)) + len(after[0]) > MOST_CHARS
        assert full, "a batch is smaller than it could be"
