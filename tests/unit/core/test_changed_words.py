"""A paragraph is one line: what of it changed has to be seen, wherever in it that is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.changed_words import AROUND, MOST_WORDS, focused
from agentrollouts.core.text_diff import bounded

GAP = re.compile(r"\[… (\d+) characters alike …\]")
SENTENCES = [f"Rule {number} says what to do with orders of kind {number}." for number in range(80)]


def paragraph(**changes: str) -> str:
    said = list(SENTENCES)
    for number, sentence in changes.items():
        said[int(number[1:])] = sentence
    return " ".join(said)


def test_a_change_deep_in_a_long_line_is_shown_and_what_is_alike_is_counted() -> None:
    old, new = f"-{paragraph()}", f"+{paragraph(r70='Never refund orders of kind 70.')}"
    gone, come = focused([old, new], 300)
    assert gone.startswith("-Rule 0 says what")
    assert "Rule 70 says what to do with orders of kind 70." in gone
    assert "Never refund orders of kind 70." in come
    assert gone.endswith("of kind 79.")
    assert max(len(gone), len(come)) < 500
    assert (length(gone), length(come)) == (len(old), len(new))


def length(line: str) -> int:
    """Of the line before parts were left out."""
    return len(GAP.sub("", line)) + sum(map(int, GAP.findall(line)))


def test_changes_at_both_ends_are_both_shown() -> None:
    old, new = f"-{paragraph()}", f"+{paragraph(r0='Be brief.', r79='Never refund.')}"
    _, come = focused([old, new], 300)
    assert come.startswith("+Be brief.")
    assert come.endswith("Never refund.")


def test_a_last_line_without_an_end_is_compared_as_any_other() -> None:
    """A prompt in an environment variable seldom ends with a line's end."""
    remark = "\\ No newline at end of file"
    lines = [f"-{paragraph()}", remark, f"+{paragraph(r70='Never.')}", remark]
    shown = focused(lines, 300)
    assert (shown[1], shown[3]) == (remark, remark)
    assert "Never." in shown[2]
    assert max(map(len, shown)) < 500


def test_lines_that_are_short_stay_as_they_are() -> None:
    lines = ["@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    assert focused(lines, 10) == lines


@pytest.mark.parametrize(
    "lines",
    [
        ["-" + paragraph(), "-b", "+c"],
        ["+" + paragraph()],
        ["-" + paragraph()],
        [" " + paragraph(), "\\ No newline at end of file"],
        ["-" + "a " * MOST_WORDS, "+" + "b " * MOST_WORDS],
    ],
    ids=["another number of lines", "new", "gone", "context", "too many words"],
)
def test_lines_without_a_partner_stay_as_they_are(lines: list[str]) -> None:
    assert focused(lines, 100) == lines


def test_many_long_lines_are_compared_until_it_has_been_enough() -> None:
    """Somebody who writes prompts must not keep the operator busy with them."""
    words = " ".join(["other"] * (MOST_WORDS // 4))
    lines = [
        line for _ in range(9) for line in (f"-{paragraph()} {words}", f"+{paragraph()} {words.upper()}")
    ]
    shown = focused(lines, 300)
    shorter = [len(one) < len(other) for one, other in zip(shown, lines, strict=True)]
    assert shorter == sorted(shorter, reverse=True)
    assert 0 < sum(shorter) < len(lines)


def test_each_line_is_compared_with_the_one_in_its_place() -> None:
    old = [f"-{paragraph()}", f"-{paragraph(r20='Second.')}"]
    new = [f"+{paragraph(r50='Other.')}", f"+{paragraph(r20='Second.', r51='Another.')}"]
    shown = focused([*old, *new], 300)
    assert [line[0] for line in shown] == ["-", "-", "+", "+"]
    assert "Other." in shown[2]
    assert "Another." in shown[3]
    assert "Second." not in shown[3], "it is alike"


def test_a_notice_shows_the_change_of_a_paragraph_that_has_no_room() -> None:
    text = f"prompts: system.md\n-{paragraph()}\n+{paragraph(r70='Never refund orders of kind 70.')}\n"
    shown = bounded(text, 4096, longest=1024)
    assert "Never refund orders of kind 70." in shown
    assert len(text) > 4096 > len(shown)
    assert "more bytes" not in shown


@given(st.lists(st.text(st.sampled_from("-+ ab\n\u2028é")), max_size=12), st.integers(0, 30))
def test_no_line_is_lost_and_none_becomes_longer(lines: list[str], longest: int) -> None:
    shown = focused(lines, longest)
    assert len(shown) == len(lines)
    assert [line[:1] for line in shown] == [line[:1] for line in lines]
    assert all(len(one) <= len(other) for one, other in zip(shown, lines, strict=True))


@given(st.text(st.sampled_from("ab c.é"), max_size=400), st.text(st.sampled_from("ab c.é"), max_size=400))
def test_whatever_is_in_one_line_only_is_shown(old: str, new: str) -> None:
    mark = "CHANGED"
    at = len(new) // 2
    _, come = focused([f"-{old}", f"+{new[:at]} {mark} {new[at:]}"], 10)
    assert mark in come


def test_what_stays_beside_a_change_is_enough_to_find_it() -> None:
    _, come = focused([f"-{paragraph()}", f"+{paragraph(r40='Stop.')}"], 300)
    before = come.split("Stop.")[0]
    assert paragraph()[: len(paragraph())].count(before.rsplit("…]", 1)[1].strip()) == 1
    assert len(before.rsplit("…]", 1)[1]) >= AROUND
