"""PromQL templates of users: what is wrong with one, and its text for one agent.

A template knows three variables. ``{{ namespace }}`` and ``{{ agent }}`` stand inside the quotes of a label matcher and go in
as escaped text, so that no name can end its quotes; behind ``=~`` they are escaped as a regular expression, too.
``{{ window }}`` stands in a range, outside of quotes, and is a duration.

Only quotes, comments, braces and ``by (…)`` are understood here; whether the rest is PromQL, the server says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Literal, NamedTuple

from agentrollouts.api.scalars import format_duration

VARIABLES = ("namespace", "agent", "window")
LABELS = ("version", "cohort")
"""The labels every result must have, as metrics.identity names them."""
OWNERS = ("namespace", "agent")
"""Whose numbers they are: matched by a variable, or kept as a label."""

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
      | (?P<open>["'`])
      | (?P<variable>\{\{(?P<name>[^{}]*)\}\})
      | (?P<brace>\{\{)
      | (?P<code>[^"'`\#{]+|\{)""",
    re.VERBOSE | re.DOTALL,
)
# NB: an escaped character is taken as one, or `\{{ agent }}` would hand the backslash to what is put in.
_INSIDE = re.compile(r"(?P<escaped>\\.)|\{\{(?P<name>[^{}]*)\}\}|(?P<brace>\{\{)", re.DOTALL)
_BY = re.compile(r"\bby\s*\(([^()]*)\)", re.IGNORECASE)
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_TO_WRITE = 'write sum by (version, cohort) (metric{namespace="{{ namespace }}", agent="{{ agent }}"}), or another aggregation'


class _Token(NamedTuple):
    kind: Literal["string", "variable", "open", "brace", "code"]
    text: str
    """A variable's name, or the text as it stands."""
    behind: str
    """The code in front of it, without spaces at its end."""


def complaints(template: str) -> tuple[str, ...]:
    """What is wrong, each in a sentence: what was expected, what was seen, what to write."""
    tokens = list(_tokens(template))
    found = [problem for token in tokens if (problem := _problem(token))]
    return tuple(dict.fromkeys(found or _ungrouped(tokens)))


def rendered(template: str, *, namespace: str, agent: str, window: timedelta) -> str:
    """The query for one agent. Raises ValueError with the first complaint about the template."""
    wrong = complaints(template)
    if wrong:
        raise ValueError(wrong[0])
    values = {"namespace": namespace, "agent": agent}
    parts = [
        _filled(token, values)
        if token.kind == "string"
        else format_duration(window)
        if token.kind == "variable"
        else token.text
        for token in _tokens(template)
    ]
    return "".join(parts).strip()


def matched(template: str) -> frozenset[str]:
    """Of namespace and agent, those that the query matches: its rows needn't name them."""
    return frozenset(name for token in _tokens(template) for name in _names(token)) & frozenset(OWNERS)


def as_regex(text: str) -> str:
    """The text as a regular expression that matches it alone."""
    return _META.sub(r"\\\g<0>", text)


def quotable(text: str, quote: str = '"') -> str:
    """The text as it stands between such quotes."""
    return text.replace("\\", "\\\\").replace(quote, f"\\{quote}").replace("\n", "\\n")


def _tokens(template: str) -> Iterator[_Token]:
    """Comments are left out: a name in one could end it."""
    code = ""
    for match in _TOKEN.finditer(template):
        kind, text = match.lastgroup, match[0]
        if kind == "comment":
            continue
        if match["name"] is not None:
            yield _Token("variable", match["name"].strip(), code)
        elif match["code"]:
            yield _Token("code", text, code)
        else:
            yield _Token("string" if match["string"] else "open" if match["open"] else "brace", text, code)
        code = (code + text).rstrip()[-2:] if match["code"] else text[-1:]


def _problem(token: _Token) -> str:
    match token.kind:
        case "open":
            return f"expected a closing {token.text} in the query; every quote needs another one"
        case "brace":
            return "expected a name and }} behind {{ in the query, such as {{ agent }}"
        case "variable":
            return _outside(token)
        case "string":
            return next(
                (problem for found in _INSIDE.finditer(token.text) if (problem := _inside(token, found))), ""
            )
        case "code":
            return ""


def _unknown(name: str) -> str:
    known = ", ".join(f"{{{{ {each} }}}}" for each in VARIABLES)
    return "" if name in VARIABLES else f"expected one of the variables {known}; got {{{{ {name} }}}}"


def _outside(token: _Token) -> str:
    name = token.text
    if name == "window" and token.behind[-1:] not in ("[", ":"):
        return "expected {{ window }} in a range; write [{{ window }}]"
    if name in OWNERS:
        return (
            f'expected {{{{ {name} }}}} inside the quotes of a label matcher; write {name}="{{{{ {name} }}}}"'
        )
    return _unknown(name)


def _inside(token: _Token, found: re.Match[str]) -> str:
    if found["escaped"]:
        return ""
    if found["brace"]:
        return "expected a name and }} behind {{ in the query, such as {{ agent }}"
    name = found["name"].strip()
    if name == "window":
        return "expected {{ window }} outside of quotes; write [{{ window }}]"
    if name in OWNERS and token.text[0] == "`":
        return f'expected {{{{ {name} }}}} in double quotes, for nothing can be escaped in backquotes; write "{{{{ {name} }}}}"'
    if name in OWNERS and not token.behind.endswith(("=", "=~", "!~")):
        return f'expected {{{{ {name} }}}} in a label matcher; write {name}="{{{{ {name} }}}}"'
    return _unknown(name)


def _filled(token: _Token, values: Mapping[str, str]) -> str:
    quote, regex = token.text[0], token.behind.endswith("~")

    def put(found: re.Match[str]) -> str:
        if found["name"] is None:
            return found[0]
        value = values[found["name"].strip()]
        return quotable(as_regex(value) if regex else value, quote)

    return _INSIDE.sub(put, token.text) if quote != "`" else token.text


def _ungrouped(tokens: list[_Token]) -> list[str]:
    """What keeps the result from telling versions, cohorts and agents apart."""
    code = "".join(token.text if token.kind == "code" else " " for token in tokens)
    clauses = [{name.strip() for name in found[1].split(",")} for found in _BY.finditer(code)]
    whole = [clause for clause in clauses if clause.issuperset(LABELS)]
    if not whole:
        seen = (
            "; ".join(f"by ({', '.join(sorted(filter(None, clause)))})" for clause in clauses) or "no by (…)"
        )
        return [f"expected a query that groups by (version, cohort); got {seen}: {_TO_WRITE}"]
    named = {name for token in tokens for name in _names(token)}
    lacking = [name for name in OWNERS if name not in named and not any(name in clause for clause in whole)]
    if not lacking:
        return []
    matchers = ", ".join(f'{name}="{{{{ {name} }}}}"' for name in lacking)
    whose = f"the query neither matches nor groups by {' or '.join(lacking)}"
    to_write = f"write {matchers} in its matchers, or by ({', '.join((*lacking, *LABELS))})"
    return [f"expected the numbers of one agent, or those of each apart; {whose}: {to_write}"]


def _names(token: _Token) -> Iterator[str]:
    """The variables that a matcher asks for; what it excludes says nothing of whose numbers are left."""
    if token.kind == "string" and not token.behind.endswith(("!=", "!~")):
        yield from (
            found["name"].strip() for found in _INSIDE.finditer(token.text) if found["name"] is not None
        )
