"""Checks a manifest against the CRD's own schema, without a server: what the API server would refuse, in its words.

The rules between fields are CEL, which nothing here can run: `rules` says the same in Python, by message, and a test holds
the two lists together.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentrollouts.cli.rules import RULES

Path = tuple[str | int, ...]
Schema = Mapping[str, Any]

MATCHES = re.compile(
    r'^(?:type\(self\) == int \|\| )?(?:string\(self\)|self)\.matches\("(?P<pattern>.*)"\)$', re.DOTALL
)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_NAMES = {
    "object": "fields",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where, and what was expected and seen and is to be done."""

    path: Path
    message: str


def problems(schema: Schema, value: Any, path: Path = ()) -> Iterator[Problem]:
    """All that is wrong with a value. What hangs on a wrong type isn't looked at any further."""
    wrong = _wrong_type(schema, value)
    if wrong:
        yield Problem(path, wrong)
        return
    if "enum" in schema and value not in schema["enum"]:
        words = [str(item) for item in schema["enum"]]
        yield Problem(path, f"expected {_either(words)}, got {value!r}{_meant(str(value), words)}")
    yield from (Problem(path, message) for message in _bounds(schema, value))
    if isinstance(value, dict):
        yield from _members(schema, value, path)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from problems(schema["items"], item, (*path, index))
        yield from _repeated(schema, value, path)
    yield from (Problem(path, message) for message in _rules(schema, value))


def _wrong_type(schema: Schema, value: Any) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        allowed: tuple[type, ...] = (int, str)
        expected = "a whole number or a string"
    elif "type" in schema:
        allowed, expected = _TYPES[schema["type"]], _NAMES.get(schema["type"], f"a {schema['type']}")
    else:
        return ""
    fits = isinstance(value, allowed) and not (isinstance(value, bool) and bool not in allowed)
    if fits:
        return ""
    quote = "; put it in quotes" if str in allowed and isinstance(value, (int, float)) else ""
    return f"expected {expected}, got {_seen(value)}{quote}"


def _bounds(schema: Schema, value: Any) -> Iterator[str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield f"expected at least {schema['minimum']}, got {value}"
        if value > schema.get("maximum", value):
            yield f"expected at most {schema['maximum']}, got {value}"
    for kind, low, high, unit in (
        (str, "minLength", "maxLength", "characters"),
        (list, "minItems", "maxItems", "items"),
        (dict, "minProperties", "maxProperties", "entries"),
    ):
        if isinstance(value, kind):
            if len(value) < schema.get(low, 0):
                yield f"expected at least {schema[low]} {unit}, got {len(value)}"
            if len(value) > schema.get(high, len(value)):
                yield f"expected at most {schema[high]} {unit}, got {len(value)}"


def _members(schema: Schema, value: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield Problem(path, f"{name} is missing{_described(known.get(name, {}))}")
    for name, item in value.items():
        if name in known:
            yield from problems(known[name], item, (*path, name))
        elif "additionalProperties" in schema:
            yield from problems(schema["additionalProperties"], item, (*path, name))
        elif known and not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield Problem((*path, name), f"there is no field {name} here{_meant(str(name), list(known))}")


def _repeated(schema: Schema, value: list[Any], path: Path) -> Iterator[Problem]:
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    is_set = schema.get("x-kubernetes-list-type") == "set"
    seen: set[tuple[Any, ...]] = set()
    for index, item in enumerate(value):
        if is_set and item in value[:index]:
            yield Problem((*path, index), f"{item} is there twice; once is enough")
        if not keys or not isinstance(item, dict):
            continue
        identity = tuple(str(item.get(key)) for key in keys)
        if identity in seen:
            yield Problem(
                (*path, index), f"{', '.join(keys)} {', '.join(identity)} is there twice; give each its own"
            )
        seen.add(identity)


def _rules(schema: Schema, value: Any) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        message = str(rule["message"])
        if "oldSelf" in rule["rule"]:
            continue  # About a change of something that exists.
        if found := MATCHES.match(rule["rule"]):
            pattern = found["pattern"].replace("\\\\", "\\")
            if isinstance(value, str) and not re.search(pattern, value):
                yield f"got {value!r}; {message}"
        elif not _holds(message, _with_defaults(schema, value)):
            yield message


def _holds(message: str, value: Any) -> bool:
    try:
        return RULES[message](value)
    except (AttributeError, LookupError, TypeError, ValueError):
        return True  # A part of it is wrong by itself, which is said where that part is.


def _with_defaults(schema: Schema, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    defaults = {
        name: child["default"] for name, child in schema.get("properties", {}).items() if "default" in child
    }
    return defaults | value


def _seen(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return "fields" if isinstance(value, dict) else "a list"
    return repr(value)


def _described(schema: Schema) -> str:
    text = schema.get("description", "")
    return f": {text[:1].lower()}{text[1:].rstrip('.')}" if text else ""


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _meant(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return (
        f"; did you mean {close[0]}?"
        if close
        else f"; there is {_either(sorted(known))}"
        if len(known) <= 8
        else ""
    )
