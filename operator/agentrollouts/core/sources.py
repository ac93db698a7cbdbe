"""Where the sums of a criterion come from: which counters it reads, and what it makes of them.

``needs`` says what the last counter lacks where it is reported and still can't be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from agentrollouts.core.evidence import CounterQuery
from agentrollouts.core.sequential.capped import named
from agentrollouts.core.sequential.measure import Block

Index = Mapping[str, Mapping[str, float]]
"""A cohort's sums by metric and by the value of the kept label."""
Series = tuple[CounterQuery, str]
"""A counter and the value of its kept label; an empty value means all of them."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Where a criterion's sums come from. ``n`` counts the units, the others add up something over them.

    ``rest``: what is summed is missing to 1, so that a high score becomes a low one.
    """

    n: Series
    total: Series
    squares: Series | None = None
    rest: bool = False
    needs = ""

    @property
    def series(self) -> tuple[Series, ...]:
        """What it reads."""
        return (self.n, self.total, *((self.squares,) if self.squares else ()))

    def read(self, index: Index) -> Block | None:
        """The sums; None where a counter isn't reported."""
        n, total = amount(index, self.n), amount(index, self.total)
        squares = amount(index, self.squares) if self.squares else 0.0
        if n is None or total is None or squares is None:
            return None
        if self.rest:
            total, squares = n - total, n - 2.0 * total + squares
        return Block(n, {"total": total, "squares": squares} if self.squares else {"total": total})


@dataclass(frozen=True, slots=True)
class _Parts:
    """Units, and sums over them by the value of a label."""

    n: CounterQuery
    parts: CounterQuery

    @property
    def series(self) -> tuple[Series, ...]:
        """What it reads."""
        return ((self.n, ""), (self.parts, ""))


@dataclass(frozen=True, slots=True)
class Spread(_Parts):
    """Sums by the value of a label: the edges of a histogram, the names of tools."""

    needs = ""

    def read(self, index: Index) -> Block | None:
        """The sums; None where a counter isn't reported."""
        n, parts = index.get(self.n.metric), index.get(self.parts.metric)
        return None if n is None or parts is None else Block(sum(n.values()), parts)


@dataclass(frozen=True, slots=True)
class Reaching(_Parts):
    """A histogram that has an edge at or beyond so many seconds; one that ends before it can't tell what is slower."""

    seconds: float

    @property
    def needs(self) -> str:
        """What a histogram lacks that ends before it."""
        return f"with an edge at {self.seconds:g} s or above"

    def read(self, index: Index) -> Block | None:
        """The sums; None where a counter isn't reported, or has no such edge."""
        n, parts = index.get(self.n.metric), index.get(self.parts.metric)
        if n is None or parts is None or not any(self.seconds <= float(edge) < inf for edge in parts):
            return None
        return Block(sum(n.values()), parts)


@dataclass(frozen=True, slots=True)
class Capped:
    """Sums and sums of squares of a fraction for each cap that it is cut at."""

    n: CounterQuery
    totals: CounterQuery
    squares: CounterQuery
    needs = "by cap in US dollars"

    @property
    def series(self) -> tuple[Series, ...]:
        """What it reads."""
        return ((self.n, ""), (self.totals, ""), (self.squares, ""))

    def read(self, index: Index) -> Block | None:
        """The sums; None where a counter isn't reported, or not by cap."""
        n, totals, squares = (index.get(query.metric) for query in (self.n, self.totals, self.squares))
        if n is None or not totals or not squares:
            return None
        try:
            return Block(sum(n.values()), named(totals, squares))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Above(_Parts):
    """The part of the tasks above the first edge of a histogram at or beyond so many seconds.

    Where no edge lies there, above the last one: what may be above the limit is taken to be, as in threshold mode.
    """

    seconds: float
    needs = "with a finite edge"

    def read(self, index: Index) -> Block | None:
        """The sums; None where a counter isn't reported, or has no finite edge."""
        n, parts = index.get(self.n.metric), index.get(self.parts.metric)
        finite = sorted((edge for edge in parts or () if float(edge) < inf), key=float)
        if n is None or parts is None or not finite:
            return None
        units = sum(n.values())
        edge = next((edge for edge in finite if float(edge) >= self.seconds), finite[-1])
        return Block(units, {"total": units - parts[edge]})


def amount(index: Index, where: Series) -> float | None:
    """The sum; None where nobody reports it."""
    query, value = where
    found = index.get(query.metric)
    if found is None:
        return None
    return found.get(value) if value else sum(found.values())
