from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.release.canonical import (
    DEEPEST,
    LARGEST,
    CanonicalError,
    canonical,
    parse,
    read_json,
    sha256,
)

VECTORS: list[tuple[object, bytes]] = [
    ({}, b"{}"),
    ({"b": 1, "a": [True, False, None, "x"]}, b'{"a":[true,false,null,"x"],"b":1}'),
    ({"": 0, "A": 1, "a": 2, "Z": 3}, b'{"":0,"A":1,"Z":3,"a":2}'),
    ('"\\/\b\f\n\r\t\x00\x1f\x7f', b'"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"'),
    ("\u2028é\u0065\u0301€😀\ufeff", '"\u2028é\u0065\u0301€😀\ufeff"'.encode()),
    # By code point: U+FB33 before U+1F600. By UTF-16 unit, as RFC 8785 sorts, it would be the other way round.
    ({"\U0001f600": 1, "\ufb33": 2}, '{"\ufb33":2,"\U0001f600":1}'.encode()),
    ([LARGEST, -LARGEST, 0], b"[9007199254740991,-9007199254740991,0]"),
]


@pytest.mark.parametrize(("value", "expected"), VECTORS)
def test_vectors(value: object, expected: bytes) -> None:
    assert canonical(value) == expected
    assert parse(expected) == value


def test_a_digest_is_the_hash_of_the_bytes() -> None:
    assert sha256(canonical({})) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ({"a": [{"b": 0.5}]}, "$.a[0].b", 'got 0.5.*in quotes, such as "0.5"'),
        ([float("nan")], "$[0]", "got nan"),
        ([float("inf")], "$[0]", "got inf"),
        ({"n": LARGEST + 1}, "$.n", "integer of at most 9007199254740991"),
        ({"n": -LARGEST - 1}, "$.n", "got -9007199254740992"),
        ({"a": {1: 2}}, "$.a", "keys that are strings; got 1"),
        ({"a": "\ud800"}, "$.a", "surrogate"),
        ({"\udfff": 1}, "$", "surrogate"),
        ({"a": b""}, "$.a", "got bytes"),
        ({"a": {1, 2}}, "$.a", "got set"),
    ],
)
def test_what_has_no_canonical_form_is_refused_with_its_path(value: object, path: str, said: str) -> None:
    with pytest.raises(CanonicalError, match=said) as refusal:
        canonical(value)
    assert refusal.value.path == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a":{"b":1,"b":1}}', "key 'b' is given twice"),
        (b'{"a":[1.0]}', r"\$\.a\[0\].*got 1\.0"),
        (b"[1e5]", "got 1e5"),
        (b"[-0]", "got -0"),
        (b"[9007199254740992]", "got 9007199254740992"),
        (b"[" + b"9" * 5000 + b"]", "got 9999999999999999999999999999999999999999…"),
        (b"[NaN]", "got NaN"),
        (b"[-Infinity]", "got -Infinity"),
        (b"\xff", "expected UTF-8; byte 0"),
        (b"\xef\xbb\xbf{}", "expected JSON"),
        (b'{"a":1', "line 1, column 7"),
        ("{}".encode("utf-16-le"), "expected JSON"),
        (b'"\\ud800"', "surrogate"),
        (b"[" * 100_000, "levels of nesting"),
        (b"[" * (DEEPEST + 2) + b"]" * (DEEPEST + 2), "levels of nesting"),
    ],
)
def test_text_that_parsers_read_differently_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(CanonicalError, match=said):
        read_json(text)


def test_nesting_is_bounded_exactly() -> None:
    assert canonical(nested(DEEPEST))
    with pytest.raises(CanonicalError, match="levels"):
        canonical(nested(DEEPEST + 1))


@pytest.mark.parametrize(
    "text", [b'{"b":1,"a":2}', b'{ "a":1}', b'{"a":1}\n', b'"\\u0061"', b'"\\/"', b'"\\u00e9"']
)
def test_only_one_sequence_of_bytes_is_canonical(text: bytes) -> None:
    read_json(text)
    with pytest.raises(CanonicalError, match="expected canonical JSON"):
        parse(text)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value
