"""Lines of a difference: every byte counts, nothing acts, and what has no room is counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.text_diff import bounded, unified, visible


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a", "a", ()),
        ("a\n", "a\r\n", ("@@ -1 +1 @@", "-a", "+a\r")),
        ("a\n", "a", ("@@ -1 +1 @@", "-a", "+a", "\\ No newline at end of file")),
        ("", "\n", ("@@ -0,0 +1 @@", "+")),
        ("a\u2028b\n", "a\u2028c\n", ("@@ -1 +1 @@", "-a\u2028b", "+a\u2028c")),
        ("-- x\n", "", ("@@ -1 +0,0 @@", "--- x")),
    ],
)
def test_every_byte_of_a_line_counts(old: str, new: str, expected: tuple[str, ...]) -> None:
    assert unified(old, new) == expected


def test_a_bound_is_kept_even_where_no_line_fits() -> None:
    assert len(bounded("x" * 100, 10).encode()) <= 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb €😀", "a\tb €😀"),
        ("\x00\x1b\x7f\x9b", "\\u{0}\\u{1b}\\u{7f}\\u{9b}"),
        ("\u202e\u2066\u200b\ufeff\U000e0041", "\\u{202e}\\u{2066}\\u{200b}\\u{feff}\\u{e0041}"),
        ("\u2028\u2029\r\n", "\\u{2028}\\u{2029}\\r\\u{a}"),
    ],
)
def test_nothing_hides_or_acts_on_a_terminal(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_a_long_line_leaves_room_for_others_and_says_what_it_lost() -> None:
    text = "+" + "é" * 600 + "\n+short\n"
    cut = bounded(text, 300, longest=100)
    assert cut == "+" + "é" * 49 + "… 1102 more bytes of this line\n+short\n"
    assert bounded(text, len(text.encode()), longest=100) == text, "where all has room nothing is cut"


def test_what_is_left_out_is_counted_in_bytes_of_the_whole() -> None:
    text = "".join(f"+{n:03}{'x' * 200}\n" for n in range(100))
    *kept, last = bounded(text, 1000, longest=100).splitlines()
    assert all(line.endswith("… 104 more bytes of this line") for line in kept)
    left = 100 - len(kept)
    assert last == f"… {left} more lines ({left * 205} bytes) left out"


@given(st.text(st.sampled_from("aé\n")), st.integers(0, 120), st.integers(0, 20))
def test_the_bound_holds_however_long_lines_may_be(text: str, most: int, longest: int) -> None:
    cut = bounded(text, most, longest=longest)
    assert len(cut.encode()) <= most
    assert cut == text or "…" in cut or most < 40
