"""From a Rollout's checks to what a trial tests: the measure of each, the counters it reads, and how their sums are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Any, NamedTuple

from agentrollouts.api import check_kinds as kinds
from agentrollouts.api import session_kinds as sessions
from agentrollouts.api.checks import CheckSpec
from agentrollouts.api.presets import Effective
from agentrollouts.api.promql_check import PromqlSpec
from agentrollouts.api.scalars import FULL
from agentrollouts.core import counters
from agentrollouts.core.checks.events import SOURCES
from agentrollouts.core.evidence import CounterQuery
from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.latency import Latency
from agentrollouts.core.sequential.limit import Limit
from agentrollouts.core.sequential.measure import Block, Measure
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.success import Success

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

    @property
    def series(self) -> tuple[Series, ...]:
        """What it reads."""
        return (self.n, self.total, *((self.squares,) if self.squares else ()))

    def read(self, index: Index) -> Block | None:
        """The sums; None where a counter isn't reported."""
        n, total = _amount(index, self.n), _amount(index, self.total)
        squares = _amount(index, self.squares) if self.squares else 0.0
        if n is None or total is None or squares is None:
            return None
        if self.rest:
            total, squares = n - total, n - 2.0 * total + squares
        return Block(n, {"total": total, "squares": squares} if self.squares else {"total": total})


@dataclass(frozen=True, slots=True)
class Spread:
    """Sums by the value of a label: the edges of a histogram, the names of tools."""

    n: CounterQuery
    parts: CounterQuery

    @property
    def series(self) -> tuple[Series, ...]:
        """What it reads."""
        return ((self.n, ""), (self.parts, ""))

    def read(self, index: Index) -> Block | None:
        """The sums; None where a counter isn't reported."""
        n, parts = index.get(self.n.metric), index.get(self.parts.metric)
        return None if n is None or parts is None else Block(sum(n.values()), parts)


@dataclass(frozen=True, slots=True)
class Above:
    """The part of the tasks above the first edge of a histogram at or beyond so many seconds.

    Where no edge lies there, above the last one: what may be above the limit is taken to be, as in threshold mode.
    """

    n: CounterQuery
    parts: CounterQuery
    seconds: float

    @property
    def series(self) -> tuple[Series, ...]:
        """What it reads."""
        return ((self.n, ""), (self.parts, ""))

    def read(self, index: Index) -> Block | None:
        """The sums; None where a counter isn't reported, or has no finite edge."""
        n, parts = index.get(self.n.metric), index.get(self.parts.metric)
        finite = sorted((edge for edge in parts or () if float(edge) < inf), key=float)
        if n is None or parts is None or not finite:
            return None
        units = sum(n.values())
        edge = next((edge for edge in finite if float(edge) >= self.seconds), finite[-1])
        return Block(units, {"total": units - parts[edge]})


class Rule(NamedTuple):
    """One thing a check tests."""

    measure: Measure
    source: Counted | Spread | Above
    what: str
    """For people: what is counted."""
    holds: bool = False
    """It may hold a candidate and never takes it out."""

    @property
    def queries(self) -> tuple[CounterQuery, ...]:
        """The counters it reads: what counts the units first."""
        return tuple(query for query, _ in self.source.series)

    @property
    def compares(self) -> bool:
        """Whether it needs the old version; a fixed limit is about the candidate alone."""
        return not isinstance(self.measure, Limit)

    def lacks(self, index: Index) -> str:
        """The series that isn't there, as people write it; empty where all are."""
        if self.source.read(index) is not None:
            return ""
        missing = [_written(one) for one in self.source.series if _amount(index, one) is None]
        return missing[0] if missing else f"{_written(self.source.series[-1])} with a finite edge"


def rules(check: CheckSpec, applies: Effective) -> tuple[Rule, ...]:
    """What a check tests; a check with a fixed limit beside a comparison tests both."""
    kind, spec = check.member
    return _KINDS[kind](spec, applies)


def _written(series: Series) -> str:
    query, value = series
    return f'{query.metric}{{{query.dimension}="{value}"}}' if value else query.metric


def _amount(index: Index, where: Series) -> float | None:
    query, value = where
    found = index.get(query.metric)
    if found is None:
        return None
    return found.get(value) if value else sum(found.values())


_CLOSED = (counters.SESSIONS, "")


def _share(bps: int) -> float:
    return bps / FULL


def _fraction(query: CounterQuery, value: str = "") -> Counted:
    return Counted(_CLOSED, (query, value))


def _success(spec: kinds.SuccessRateSpec, applies: Effective) -> tuple[Rule, ...]:
    source = Counted(_CLOSED, (counters.SESSION_SUCCESS, ""), (counters.SESSION_SUCCESS_SQUARES, ""))
    most = applies.margin if spec.max_drop is None else spec.max_drop
    compared = Rule(Success(_share(kinds.tolerated(spec, most)), _share(most)), source, "succeeded")
    if spec.min is None:
        return (compared,)
    failing = Counted(_CLOSED, (counters.SESSION_SUCCESS, ""), rest=True)
    return compared, Rule(Limit(1.0 - _share(spec.min)), failing, "not successful")


def _failures(spec: kinds.FailureRateSpec, applies: Effective) -> tuple[Rule, ...]:
    return (Rule(Limit(_share(spec.max)), _fraction(counters.SESSION_OUTCOMES, "failure"), "failed"),)


def _cost(spec: kinds.CostSpec, applies: Effective) -> tuple[Rule, ...]:
    source = Counted(_CLOSED, (counters.SESSION_COST, ""), (counters.SESSION_COST_SQUARES, ""))
    return (Rule(_dearer(spec, spec.max_increase), source, "mean cost"),)


def _dearer(spec: kinds.Allowed, most: int) -> Cost:
    return Cost(_share(kinds.tolerated(spec, most)), _share(most))


def _latency(spec: kinds.LatencySpec, applies: Effective) -> tuple[Rule, ...]:
    at = spec.slower_than.total_seconds() if spec.slower_than else None
    measure = Latency(
        _share(kinds.tolerated(spec, spec.max_increase)), _share(spec.max_increase), slower_than=at
    )
    return (Rule(measure, Spread(counters.SESSIONS, counters.SESSION_LATENCY), "latency"),)


def _quantile(spec: kinds.LatencyQuantileSpec, applies: Effective) -> tuple[Rule, ...]:
    above = Above(counters.SESSIONS, counters.SESSION_LATENCY, spec.max.total_seconds())
    return (Rule(Limit(1.0 - _share(spec.quantile)), above, f"slower than {above.seconds:g} s"),)


def _tool_failures(spec: kinds.ToolFailuresSpec, applies: Effective) -> tuple[Rule, ...]:
    source = _fraction(counters.SESSION_EVENTS, "tool_failure")
    return _happening(spec, spec.max_increase, spec.max, source, "a tool call failed in")


def _events(spec: sessions.EventsSpec, applies: Effective) -> tuple[Rule, ...]:
    query, value = SOURCES[spec.event]
    return _happening(spec, spec.max_increase, spec.max, _fraction(query, value), f"{spec.event} in")


def _happening(
    spec: kinds.Allowed, most: int, limit: int | None, source: Counted, what: str
) -> tuple[Rule, ...]:
    compared = Rule(Events(_share(kinds.tolerated(spec, most)), _share(most)), source, what)
    fixed = () if limit is None else (Rule(Limit(_share(limit)), source, what),)
    return (compared, *fixed) if most < FULL or not fixed else fixed


def _mix(spec: sessions.ToolMixSpec, applies: Effective) -> tuple[Rule, ...]:
    return (
        Rule(
            Mix(_share(spec.tolerance)),
            Spread(counters.SESSIONS, counters.SESSION_TOOLS),
            "mix of tools",
            holds=spec.on_drift == "Warn",
        ),
    )


def _llm_calls(spec: sessions.LlmCallsSpec, applies: Effective) -> tuple[Rule, ...]:
    source = Counted(_CLOSED, (counters.SESSION_LLM_CALLS, ""), (counters.SESSION_LLM_CALLS_SQUARES, ""))
    return (Rule(_dearer(spec, spec.max_increase), source, "mean number of model calls"),)


def _score(spec: sessions.ScoreSpec, applies: Effective) -> tuple[Rule, ...]:
    name, low = spec.name, spec.better == "lower"
    scored, total = (counters.SCORED_SESSIONS, name), (counters.SCORE_SUMS, name)
    squares = (counters.SCORE_SQUARES, name)
    most = spec.max_change
    compared = Rule(
        Success(_share(kinds.tolerated(spec, most)), _share(most)),
        Counted(scored, total, squares, rest=low),
        f"mean {name}",
    )
    if spec.limit is None:
        return (compared,)
    worst = _share(spec.limit) if low else 1.0 - _share(spec.limit)
    fixed = Rule(Limit(worst), Counted(scored, total, rest=not low), f"mean {name}")
    return (compared, fixed) if most < FULL else (fixed,)


def _ratio(spec: kinds.RatioSpec, applies: Effective) -> tuple[Rule, ...]:
    source = Counted((CounterQuery(spec.total), ""), (CounterQuery(spec.bad), ""))
    return (Rule(Limit(_share(spec.max)), source, spec.bad),)


def _own_query(spec: PromqlSpec, applies: Effective) -> tuple[Rule, ...]:
    """Nothing: a value without a number of sessions can't be tested."""
    return ()


_KINDS: Mapping[str, Callable[[Any, Effective], tuple[Rule, ...]]] = MappingProxyType(
    {
        "successRate": _success,
        "failureRate": _failures,
        "cost": _cost,
        "latency": _latency,
        "latencyQuantile": _quantile,
        "toolFailures": _tool_failures,
        "toolMix": _mix,
        "events": _events,
        "llmCalls": _llm_calls,
        "score": _score,
        "ratio": _ratio,
        "promql": _own_query,
    }
)
