"""events: in what share of a session's tasks something happened, against the old version's sessions and a fixed limit."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agentrollouts.api.check_kinds import tolerated
from agentrollouts.api.session_kinds import Event, EventsSpec
from agentrollouts.core.checks.result import CheckInput, CheckResult, compares, judge_share, unreported
from agentrollouts.core.counters import SESSION_EVENTS, SESSION_OUTCOMES, SESSIONS
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of
from agentrollouts.core.statistics import Proportion

SOURCES: Mapping[Event, tuple[CounterQuery, str]] = MappingProxyType(
    {
        "refusal": (SESSION_OUTCOMES, "refused"),
        "escalation": (SESSION_OUTCOMES, "escalated"),
        "intervention": (SESSION_EVENTS, "intervention"),
        "checkpoint": (SESSION_EVENTS, "checkpoint"),
        "destructiveRollback": (SESSION_EVENTS, "destructive_rollback"),
        "thumbsDown": (SESSION_EVENTS, "thumbs_down"),
        "regenerate": (SESSION_EVENTS, "regenerate"),
        "takeover": (SESSION_EVENTS, "takeover"),
    }
)
"""Where each event is counted: the counter, and the value of its label."""


def queries(spec: EventsSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (SESSIONS, SOURCES[spec.event][0])


def judge(spec: EventsSpec, given: CheckInput) -> CheckResult:
    """A session counts as one, by the fraction of its tasks; of numbers between 0 and 1 no others scatter more than 0s and 1s."""
    query, value = SOURCES[spec.event]
    missing = unreported(given, query, value, compared=compares(spec.max_increase, spec.max))
    if missing is not None:
        return missing
    return judge_share(
        given,
        bad=(_with(given.candidate, query, value), _with(given.comparator, query, value)),
        allowed=spec.max_increase,
        tolerance=tolerated(spec, spec.max_increase),
        limit=spec.max,
        what=f"{spec.event} in",
        unit="sessions",
    )


def _with(totals: Totals, query: CounterQuery, value: str) -> Proportion:
    return Proportion(sum_of(totals, query.metric, value), sum_of(totals, SESSIONS.metric))
