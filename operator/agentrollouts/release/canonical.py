"""Canonical JSON: one value, one sequence of bytes, in every language.

Keys sorted by Unicode code point, no space, UTF-8 without a BOM, strings as they are (no Unicode normalisation: what was written is
what counts), only the escapes that JSON demands. Two kinds of numbers are refused because implementations
write them differently or lose digits: anything with a fraction or an exponent, and integers beyond 2^53-1, which JavaScript, jq and
Go's ``interface{}`` read as floats. It is RFC 8785 without floats, but for one trap:

NB: RFC 8785 sorts by UTF-16 code unit. The two orders differ only where a key has a character beyond U+FFFF beside another one
from U+E000 on; code points are what Python, Go and Rust sort by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

LARGEST = 2**53 - 1
"""The largest integer that every JSON implementation reads exactly."""
DEEPEST = 64
"""Levels of nesting; more is a mistake or an attack on a parser."""

_DIGITS = len(str(LARGEST)) + 1


class CanonicalError(ValueError):
    """A value without a canonical form, or bytes that aren't one. ``path`` leads to the value, such as ``$.tools[0].name``."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Refused:
    """A number as it was written that has no canonical form; found again, with its path, once all is read."""

    text: str


def canonical(value: object) -> bytes:
    """The canonical bytes of dicts, lists, strings, integers, booleans and None. Raises CanonicalError on anything else."""
    _check(value, "$", 0)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_json(data: bytes) -> Any:
    """The value in a JSON text, as strictly as it would be written but in any layout. Raises CanonicalError.

    A key that is given twice is refused: parsers differ in which one they take.
    """
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_float=_Refused,
            parse_int=_integer,
            parse_constant=_Refused,
        )
    except UnicodeDecodeError as error:
        raise CanonicalError("$", f"expected UTF-8; byte {error.start} isn't") from error
    except json.JSONDecodeError as error:
        raise CanonicalError(
            "$", f"expected JSON; line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except RecursionError as error:
        raise CanonicalError("$", f"expected at most {DEEPEST} levels of nesting") from error
    _check(value, "$", 0)
    return value


def parse(data: bytes) -> Any:
    """The value of canonical bytes. Raises CanonicalError where another sequence of bytes would say the same."""
    value = read_json(data)
    if canonical(value) != data:
        raise CanonicalError(
            "$", "expected canonical JSON: sorted keys, no space between tokens, no needless escapes"
        )
    return value


def sha256(data: bytes) -> str:
    """``sha256:`` and the hash of bytes, as OCI and the API write digests."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise CanonicalError("$", f"the key {key!r} is given twice in one object; keep one")
        value[key] = item
    return value


def _integer(text: str) -> int | _Refused:
    """NB: ``-0`` would become 0 without a word, and thousands of digits would take int() long."""
    return _Refused(text) if text == "-0" or len(text) > _DIGITS else int(text)


def _check(value: object, path: str, depth: int) -> None:
    if depth > DEEPEST:
        raise CanonicalError(path, f"expected at most {DEEPEST} levels of nesting")
    match value:
        case None | bool():
            return
        case str():
            _check_text(value, path)
        case int() | float() | _Refused():
            _check_number(value, path)
        case list() | tuple():
            for number, item in enumerate(value):
                _check(item, f"{path}[{number}]", depth + 1)
        case dict():
            for key, item in value.items():
                _check_key(key, path)
                _check(item, f"{path}.{key}", depth + 1)
        case _:
            raise CanonicalError(path, f"expected a JSON value; got {type(value).__name__}")


def _check_key(key: object, path: str) -> None:
    if not isinstance(key, str):
        raise CanonicalError(path, f"expected keys that are strings; got {key!r}; quote it")
    _check_text(key, path)


def _check_number(value: float | _Refused, path: str) -> None:
    if isinstance(value, int) and abs(value) <= LARGEST:
        return
    text = value.text if isinstance(value, _Refused) else repr(value)
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    raise CanonicalError(
        path,
        f"expected an integer of at most {LARGEST}; got {shown}, which languages read or write differently:"
        f' write it as a string, in quotes, such as "{shown}"',
    )


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CanonicalError(
            path, f"half of a surrogate pair at character {error.start} can't be written as UTF-8"
        ) from error
