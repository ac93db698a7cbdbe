"""promql: a number of the user's own for each version and cohort, against fixed limits and the old version's.

A single number has no sample size, so nothing here knows chance: beyond a limit is beyond a limit. That is why it is no part
of the error budget, and why what it leads to adds up over looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agentrollouts.api.promql_check import PromqlSpec
from agentrollouts.api.scalars import FULL, format_duration, format_number, format_percent
from agentrollouts.core.asked import Told
from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict, short_of, worst
from agentrollouts.core.counters import SESSIONS
from agentrollouts.core.evidence import CounterQuery, Unavailable, sum_of


def queries(spec: PromqlSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads beside its query: how many sessions there were."""
    return (SESSIONS,)


def judge(spec: PromqlSpec, given: CheckInput) -> CheckResult:
    """Exactly a limit passes. What isn't known is neither a pass nor a failure."""
    told = given.told
    if isinstance(told, Unavailable):
        return _unknown(given, told.reason)
    compares = spec.max_increase is not None or spec.max_decrease is not None
    seen = sum_of(given.candidate, SESSIONS.metric)
    theirs = sum_of(given.comparator, SESSIONS.metric) if compares else given.minimum_sessions
    few = short_of(given, (seen, theirs), "sessions")
    if few is not None:
        return few
    if told.candidate is None:
        return _unknown(given, told.candidate_problem)
    parts = [*_fixed(spec, given, told.candidate), *_compared(spec, given, told, told.candidate)]
    if not parts:
        return _unknown(given, "expected a limit; give max, min, maxIncrease or maxDecrease")
    found = worst(given.name, parts)
    missing = found.verdict is Verdict.INCONCLUSIVE and any(part.missing for part in parts)
    age = f", asked {format_duration(told.age)} ago" if told.age.total_seconds() >= 1 else ""
    return replace(found, reason=found.reason + age, missing=missing, adds_up=True)


def _unknown(given: CheckInput, reason: str) -> CheckResult:
    return CheckResult(given.name, Verdict.INCONCLUSIVE, reason, missing=True)


def _fixed(spec: PromqlSpec, given: CheckInput, value: float) -> Iterator[CheckResult]:
    # NB: as floats: 0.1 of the server is the float next to a tenth, and must be exactly the limit "0.1".
    if spec.max is not None:
        reason = f"{_amount(spec, value)}, at most {format_number(spec.max)}"
        yield CheckResult(given.name, _verdict(spec, fails=value > float(spec.max)), reason)
    if spec.min is not None:
        reason = f"{_amount(spec, value)}, at least {format_number(spec.min)}"
        yield CheckResult(given.name, _verdict(spec, fails=value < float(spec.min)), reason)


def _compared(spec: PromqlSpec, given: CheckInput, told: Told, value: float) -> Iterator[CheckResult]:
    for allowed, more, fixed in (
        (spec.max_increase, True, spec.max),
        (spec.max_decrease, False, spec.min),
    ):
        if allowed is None:
            continue
        word = "more" if more else "less"
        if told.old is None:
            yield _unknown(given, told.old_problem)
            continue
        against = (
            f"{_amount(spec, value)} against {_amount(spec, told.old)} of {told.cohort},"
            f" at most {format_percent(allowed)} {word}"
        )
        worse = value > told.old if more else value < told.old
        if told.old <= 0 and worse:
            # NB: a part of nothing, or of a negative number, is no limit; where there is a fixed one, it decides alone.
            if fixed is None:
                hint = f"give {'max' if more else 'min'}, too, for a part of that says nothing"
                yield _unknown(given, f"{against}: {hint}")
            continue
        edge = told.old * (FULL + (allowed if more else -allowed)) / FULL
        beyond = worse and (value > edge if more else value < edge)
        yield CheckResult(given.name, _verdict(spec, fails=beyond), against)


def _verdict(spec: PromqlSpec, *, fails: bool) -> Verdict:
    if not fails:
        return Verdict.PASS
    return Verdict.FAIL if spec.on_failure == "Rollback" else Verdict.WARN


def _amount(spec: PromqlSpec, value: float) -> str:
    return f"{value:.6g}{f' {spec.unit}' if spec.unit else ''}"
