from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.task import canonical
from agentrollouts.ledger.errors import RedactionError
from agentrollouts.ledger.redaction import PATTERNS, redacted, redacted_value
from tests.ledger.tasks import record

EVERY = tuple(PATTERNS.values())


@pytest.mark.parametrize(
    ("pattern", "text", "left"),
    [
        ("emails", "write to Jane.Doe+x@mail.shop.example, please", "write to [email], please"),
        ("emails", "an @ alone, a@b and user@localhost stay", "an @ alone, a@b and user@localhost stay"),
        (
            "cards",
            "4111 1111 1111 1111, 5500-0000-0000-0004 and 340000000000009",
            "[card], [card] and [card]",
        ),
        ("cards", "order 4111111111111112 stays", "order 4111111111111112 stays"),
        (
            "cards",
            "0.4111111111111111 and x-4111111111111111 stay",
            "0.4111111111111111 and x-4111111111111111 stay",
        ),
        ("keys", "AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("keys", "token ghp_" + "a1" * 18 + " ok", "token [key] ok"),
        ("keys", "sk-proj-" + "A1b2" * 8, "[key]"),
        ("keys", "xoxb-1234567890-abcdef", "[key]"),
        ("keys", "AIza" + "x" * 35, "[key]"),
        ("keys", "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "[key]"),
        ("keys", "a -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- b", "a [key] b"),
        ("keys", "-----BEGIN PRIVATE KEY-----\nMII cut off", "[key]"),
        ("keys", "task-list and sk-short stay", "task-list and sk-short stay"),
    ],
)
def test_patterns_take_out_what_they_know(pattern: str, text: str, left: str) -> None:
    assert PATTERNS[pattern](text) == left


def test_every_string_that_others_wrote_is_redacted() -> None:
    mail = "jane@shop.example"
    whole = record(
        1,
        input={"to": [mail, {"deep": mail}], mail: 1},
        output=mail,
        expected=[mail],
        toolCalls=[{"name": "send", "arguments": {"to": mail}, "result": mail, "error": f"no {mail}"}],
    )
    left = canonical(redacted(whole, EVERY))
    assert mail not in left
    assert left.count("[email]") == 8
    assert json.loads(left)["id"] == whole.id


def test_two_names_that_become_the_same_keep_both_values() -> None:
    assert redacted_value({"a@b.example": 1, "c@d.example": 2, "[email] (2)": 3}, EVERY) == {
        "[email]": 1,
        "[email] (2)": 2,
        "[email] (2) (2)": 3,
    }


def test_what_gives_no_string_is_an_error() -> None:
    with pytest.raises(RedactionError, match="gave a NoneType"):
        redacted_value(["x"], [lambda _: None])  # type: ignore[list-item,return-value]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_redacting_twice_changes_nothing_more(value: object) -> None:
    once = redacted_value(value, EVERY)  # type: ignore[arg-type]
    assert redacted_value(once, EVERY) == once


@given(st.text())
def test_what_has_no_secret_stays_as_it_is(text: str) -> None:
    if not any(character in text for character in "@0123456789") and "-" not in text and "_" not in text:
        assert redacted_value(text, EVERY) == text
