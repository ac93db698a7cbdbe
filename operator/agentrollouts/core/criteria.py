"""From a Rollout's checks to what a trial tests: the measure of each, the counters it reads, and how their sums are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from agentrollouts.core.sequential.capped import CappedCost
from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.latency import Latency
from agentrollouts.core.sequential.limit import Limit
from agentrollouts.core.sequential.measure import Measure
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.shorter import Shorter
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sources import Above, Capped, Counted, Index, Reaching, Series, Spread, amount


class Rule(NamedTuple):
    """One thing a check tests."""

    measure: Measure
    source: Counted | Spread | Reaching | Above | Capped
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
        missing = [_written(one) for one in self.source.series if amount(index, one) is None]
        return missing[0] if missing else f"{_written(self.source.series[-1])} {self.source.needs}"


def rules(check: CheckSpec, applies: Effective) -> tuple[Rule, ...]:
    """What a check tests; a check with a fixed limit beside a comparison tests both."""
    kind, spec = check.member
    return _KINDS[kind](spec, applies)


def _written(series: Series) -> str:
    query, value = series
    return f'{query.metric}{{{query.dimension}="{value}"}}' if value else query.metric


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
    source = Capped(counters.SESSIONS, counters.SESSION_COST, counters.SESSION_COST_SQUARES)
    most = spec.max_increase
    return (Rule(CappedCost(_share(kinds.tolerated(spec, most)), _share(most)), source, "mean cost"),)


def _dearer(spec: kinds.Allowed, most: int) -> Cost:
    return Cost(_share(kinds.tolerated(spec, most)), _share(most))


def _latency(spec: kinds.LatencySpec, applies: Effective) -> tuple[Rule, ...]:
    at = spec.slower_than.total_seconds() if spec.slower_than else None
    measure = Latency(
        _share(kinds.tolerated(spec, spec.max_increase)), _share(spec.max_increase), slower_than=at
    )
    sums = (counters.SESSIONS, counters.SESSION_LATENCY)
    return (Rule(measure, Spread(*sums) if at is None else Reaching(*sums, at), "latency"),)


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


def _tools(spec: sessions.ToolMixSpec, applies: Effective) -> tuple[Rule, ...]:
    return (_mix(spec, counters.SESSION_TOOLS, "mix of tools"),)


def _topics(spec: sessions.TopicMixSpec, applies: Effective) -> tuple[Rule, ...]:
    return (_mix(spec, counters.SESSION_TOPICS, "mix of topics"),)


def _mix(spec: sessions.ToolMixSpec | sessions.TopicMixSpec, parts: CounterQuery, what: str) -> Rule:
    spread = Spread(counters.SESSIONS, parts)
    return Rule(Mix(_share(spec.tolerance)), spread, what, holds=spec.on_drift == "Warn")


def _length(spec: sessions.ResponseLengthSpec, applies: Effective) -> tuple[Rule, ...]:
    """Both directions. Answers can't be shorter by all of their length, so from 100 % on there is nothing to test there."""
    source = Counted(
        (counters.ANSWERED_SESSIONS, ""), (counters.SESSION_LENGTH, ""), (counters.SESSION_LENGTH_SQUARES, "")
    )
    holds, most = spec.on_drift == "Warn", spec.max_change
    longer = Rule(_dearer(spec, most), source, "answers that may not be longer", holds)
    if most >= FULL:
        return (longer,)
    measure = Shorter(_share(kinds.tolerated(spec, most)), _share(most))
    return longer, Rule(measure, source, "answers that may not be shorter", holds)


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
        "toolMix": _tools,
        "topicMix": _topics,
        "responseLength": _length,
        "events": _events,
        "llmCalls": _llm_calls,
        "score": _score,
        "ratio": _ratio,
        "promql": _own_query,
    }
)
