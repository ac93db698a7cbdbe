"""The little PromQL the stub understands, as data."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_SELECTOR = re.compile(r"([A-Za-z_:][\w:]*)\s*(?:\{(.*)\})?\s*(?:\[(\d+)(ms|s|m|h)\])?")
_CALL = re.compile(r"(last_over_time|rate|increase)\s*\((.*)\)")
_AGGREGATION = re.compile(r"(sum|max)\s*(?:(by|without)\s*\(([^)]*)\))?\s*\((.*)\)")
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
Matcher = tuple[str, Callable[[str], bool]]


@dataclass(frozen=True, slots=True)
class Query:
    """``window`` in seconds, 0 without one. ``labels`` are kept with ``by`` and dropped with ``without``."""

    metric: str
    matchers: tuple[Matcher, ...]
    window: float = 0.0
    function: str = ""
    aggregation: str = ""
    grouping: str = ""
    labels: frozenset[str] = frozenset()


def parsed(text: str) -> Query:
    """Raises ValueError for what the stub doesn't understand."""
    rest, aggregation, grouping, labels, function = text.strip(), "", "", frozenset[str](), ""
    if found := _AGGREGATION.fullmatch(rest):
        aggregation, grouping, rest = found[1], found[2] or "by", found[4].strip()
        labels = frozenset(name.strip() for name in (found[3] or "").split(",") if name.strip())
    if found := _CALL.fullmatch(rest):
        function, rest = found[1], found[2].strip()
    selector = _SELECTOR.fullmatch(rest)
    if selector is None or bool(function) > bool(selector[3]):
        raise ValueError(
            f"expected a selector, maybe in {_CALL.pattern} and {_AGGREGATION.pattern}; got {text!r}"
        )
    window = float(selector[3]) * _SECONDS[selector[4]] if selector[3] else 0.0
    return Query(selector[1], _matchers(selector[2] or ""), window, function, aggregation, grouping, labels)


def _matchers(text: str) -> tuple[Matcher, ...]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _MATCHER.match(text, at)
        if match is None:
            raise ValueError(f"expected label matchers; got {text[at:]!r}")
        value = re.sub(r"\\(.)", r"\1", match[3])
        found.append((match[1], _matching(match[2], value)))
        at = match.end()
    return tuple(found)


def _matching(operator: str, value: str) -> Callable[[str], bool]:
    pattern = re.compile(value) if "~" in operator else re.compile(re.escape(value))
    wanted = not operator.startswith("!")
    return lambda text: (pattern.fullmatch(text) is not None) is wanted


def labels_kept(query: Query, labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """The labels of the answer's row a series goes into."""
    if not query.aggregation:
        return tuple(labels.items())
    by = query.grouping == "by"
    return tuple((name, value) for name, value in labels.items() if (name in query.labels) is by)
