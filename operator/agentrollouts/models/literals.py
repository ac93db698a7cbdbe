"""The texts in a file that somebody wrote as values, each with its line: string literals of Python, values of YAML, JSON, TOML and env files.

Comments and docstrings are talk about code and not read. Files are never imported or run.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

import yaml

KIND = "AgentVersion"
RELEASE_FILE = "release.yaml"


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, and the line (from 1) and column (from 1) where it begins. ``last`` is the line where it ends."""

    text: str
    line: int
    column: int
    last: int


class UnreadableError(Exception):
    """The file isn't what its name says; the message says where."""


def literals_in(name: str, text: str) -> list[Literal]:
    """The values in a file's text, by the kind its name tells. Raises UnreadableError."""
    reader = reader_of(name)
    assert reader is not None, name
    return list(reader(name, text))


def reader_of(name: str) -> Callable[[str, str], Iterator[Literal]] | None:
    """What reads a file of that name; None where nothing does."""
    path = PurePath(name)
    if path.name == ".env" or path.name.startswith(".env."):
        return _env
    return _READERS.get(path.suffix.lower())


def _python(name: str, text: str) -> Iterator[Literal]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise UnreadableError(f"line {line}: expected Python; {getattr(error, 'msg', error)}") from error
    talk = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in talk:
            yield Literal(node.value, node.lineno, node.col_offset + 1, node.end_lineno or node.lineno)


def _yaml(name: str, text: str) -> Iterator[Literal]:
    """A template of Helm isn't YAML until it is rendered; then each line is read by itself."""
    try:
        documents = list(yaml.compose_all(text, yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError):
        yield from _lines(text)
        return
    for document in documents:
        if document is not None:
            yield from _scalars(document, _release_paths(name, document))


def _release_paths(name: str, document: yaml.Node) -> tuple[tuple[str, ...], ...]:
    """Where a release itself says its model: there it belongs."""
    if PurePath(name).name == RELEASE_FILE:
        return (("model",),)
    kinds = [
        value.value
        for key, value in (document.value if isinstance(document, yaml.MappingNode) else ())
        if key.value == "kind"
    ]
    return (("spec", "release", "model"),) if kinds == [KIND] else ()


def _scalars(
    node: yaml.Node, left_out: tuple[tuple[str, ...], ...], path: tuple[str, ...] = ()
) -> Iterator[Literal]:
    if path in left_out:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, left_out, (*path, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _scalars(value, left_out, (*path, "[]"))
    elif isinstance(node, yaml.ScalarNode):
        begin = node.start_mark
        yield Literal(node.value, begin.line + 1, begin.column + 1, node.end_mark.line + 1)


_PLAIN = re.compile(r"""[:=-]\s+(["']?)([^\s"'{}#,\[\]]+)\1""")


_COMMENT = re.compile(r"(^|\s)#.*")


def _lines(text: str) -> Iterator[Literal]:
    for number, line in enumerate(text.splitlines(), 1):
        for found in _PLAIN.finditer(_COMMENT.sub("", line)):
            yield Literal(found[2], number, found.start(2) + 1, number)


_JSON_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"(?P<key>\s*:)?')


def _json(name: str, text: str) -> Iterator[Literal]:
    for found in _JSON_TEXT.finditer(text):
        if found["key"]:
            continue
        try:
            value = json.loads(found[0])
        except ValueError:
            continue
        yield _at(text, found.start(), value)


_TOML_TEXT = re.compile(
    r"""#[^\n]*|(?P<long>\"{3}.*?\"{3}|'{3}.*?'{3})|(?P<short>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')(?P<key>\s*[=.\]])?""",
    re.DOTALL,
)


def _toml(name: str, text: str) -> Iterator[Literal]:
    for found in _TOML_TEXT.finditer(text):
        if found["long"]:
            yield _at(text, found.start(), found["long"][3:-3])
        elif found["short"] and (not found["key"] or found["key"].strip() == "]"):
            yield _at(text, found.start(), found["short"][1:-1])


_ENV_LINE = re.compile(
    r"^\s*(?:export\s+)?[A-Za-z_]\w*\s*=\s*(?P<value>\"[^\"]*\"|'[^']*'|[^\s#]*)", re.MULTILINE
)


def _env(name: str, text: str) -> Iterator[Literal]:
    for found in _ENV_LINE.finditer(text):
        yield _at(text, found.start("value"), found["value"].strip("\"'"))


def _at(text: str, start: int, value: str) -> Literal:
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return Literal(value, line, column, line)


_READERS = MappingProxyType(
    {
        ".py": _python,
        ".yaml": _yaml,
        ".yml": _yaml,
        ".json": _json,
        ".toml": _toml,
        ".env": _env,
    }
)
