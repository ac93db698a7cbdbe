from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.replay.calls import Call, compared
from agentrollouts.replay.comparison import MISSING, Compare, Rule, decision
from agentrollouts.replay.comparison import compared as answers_compared
from agentrollouts.replay.structured import differences
from agentrollouts.replay.text import THRESHOLD, similarity

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def call(name: str, **arguments: object) -> Call:
    return Call.model_validate({"name": name, "arguments": arguments})


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ({"label": "a", "id": 1}, {"label": "a", "id": 2}, True),
        ({"label": "a"}, {"label": "A"}, False),
        ({"label": 1}, {"label": 1.0}, True),
        ({"label": 1}, {"label": True}, False),
        ({"label": None}, {}, False),
        ({}, {"error": "status 500"}, True),
        ("label", {"label": "label"}, False),
    ],
)
def test_a_label_is_the_same_or_it_isnt(before: object, after: object, same: bool) -> None:
    rule = Rule(answer="label")
    assert answers_compared(decision(before, rule), decision(after, rule), rule).same is same


def test_an_answer_that_never_came_is_like_no_answer() -> None:
    rule = Rule()
    assert not answers_compared(None, MISSING, rule).same
    assert answers_compared(MISSING, MISSING, rule).same


def test_a_structured_difference_names_each_place() -> None:
    before = {"label": "a", "lines": [{"n": 1}, {"n": 2}], "version": "1.0.0", "gone": None}
    after = {"label": "a", "lines": [{"n": 1}, {"n": 3}, 4], "version": "2.0.0"}
    found = differences(before, after, ("version",))
    assert found == (("gone", "null", None), ("lines.1.n", "2", "3"), ("lines.2", None, "4"))
    assert differences(before, after, ("version", "gone", "lines")) == ()


def test_what_is_ignored_is_ignored_by_its_whole_path_only() -> None:
    assert differences({"a": {"id": 1}, "id": 1}, {"a": {"id": 2}, "id": 2}, ("id",)) == (("a.id", "1", "2"),)
    rule = Rule(Compare.EXACT, ignore=("id",))
    assert not answers_compared({"id": 1}, {"id": 2}, rule).same, "an exact comparison ignores nothing"


@given(JSON, JSON)
def test_a_difference_is_one_from_either_side_and_none_from_itself(one: object, other: object) -> None:
    assert differences(one, one) == ()
    assert {(path, after, before) for path, before, after in differences(one, other)} == set(
        differences(other, one)
    )


def test_texts_are_alike_by_their_trigrams() -> None:
    said = "Your linen curtain (order A-1004) is shipped and should reach you soon."
    assert similarity(said, said.upper().replace(" ", "\n")) == 1
    assert similarity(said, said + " Thank you!") >= THRESHOLD
    assert similarity(said, "I can't tell you that.") < 0.2
    assert similarity("refund denied", "refunded") < THRESHOLD
    assert (similarity("", ""), similarity("", "a"), similarity("a", "a")) == (1, 0, 1)
    # By hand: "ab" has "  a", " ab", "ab ", "b  "; "ac" shares the first of its four only.
    assert similarity("ab", "ac") == pytest.approx(1 / 4)


@given(st.text(max_size=30), st.text(max_size=30))
def test_similarity_is_a_symmetric_share(one: str, other: str) -> None:
    assert 0 <= similarity(one, other) <= 1
    assert math.isclose(similarity(one, other), similarity(other, one))
    assert similarity(one, one) == 1


def test_the_threshold_decides_and_what_is_no_text_is_compared_as_it_is() -> None:
    said, longer = "The parcel is on its way to you.", "The parcel is on its way to you now."
    alike = similarity(said, longer)
    for threshold, same in ((alike, True), (math.nextafter(alike, 1), False)):
        found = answers_compared(said, longer, Rule(Compare.TEXT, threshold=threshold))
        assert (found.same, found.similarity) == (same, alike)
    assert answers_compared({"n": 1}, {"n": 1}, Rule(Compare.TEXT)).same


def test_calls_are_compared_as_a_multiset_and_as_a_sequence() -> None:
    look, pay, mail = call("look", order="1"), call("pay", order="1"), call("mail")
    assert not compared([look, pay], [look, pay])
    assert compared([look, pay], [pay, look]) == ((), (), (), True)
    assert compared([look, pay], [look, mail]) == (("mail",), ("pay",), (), False)
    assert compared([look], [look, look]) == (("look",), (), (), False)
    assert compared([look, pay], [look, call("pay", order="2")]) == ((), (), ("pay",), False)
    assert compared([call("f", a=1)], [call("f", a=1.0)]) == ((), (), (), False)


def test_a_tool_that_no_record_knows_is_new() -> None:
    """A comparison that goes through the old tools only would never see it."""
    assert compared([], [call("wire_money", to="me")]).new == ("wire_money",)


def test_of_a_tool_called_more_often_the_other_calls_may_be_altered() -> None:
    before, after = [call("pay", order="1")], [call("pay", order="2"), call("pay", order="3")]
    assert compared(before, after) == (("pay",), (), ("pay",), False)
    assert compared(before, [*before, call("pay", order="2")]) == (("pay",), (), (), False)
