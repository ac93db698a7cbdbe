"""Judging: for each signal, how far what a version does is from its profile, and whether that is more than allowed and chance.

A signal drifts from the moment it is out of the reach of chance that it moved by more than is allowed, until it no longer is that
it moved by more than half of it. In between it stays as it was, so that it doesn't come and go at the limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from agentrollouts.api.monitor import MonitorSpec, Signal
from agentrollouts.api.scalars import FULL, format_duration
from agentrollouts.core.checks.mixes import Mix, apart, changes
from agentrollouts.core.checks.result import percent
from agentrollouts.core.monitor.behavior import EVENTS, TOOLS, TOPICS, Behavior, folded
from agentrollouts.core.monitor.chance import of_means, of_mixes
from agentrollouts.core.sequential.units import Units

ENDS = 0.5
"""A drift ends at this part of what is allowed."""


class Finding(NamedTuple):
    """One signal of one look. ``moved``, ``allowed`` and ``chance`` are fractions, of a mean length relative to what it was."""

    signal: Signal
    drifting: bool
    moved: float
    allowed: float
    chance: float
    sentence: str


class _Moved(NamedTuple):
    """What one signal did, before it is held against anything. ``moved`` has no sign."""

    signal: Signal
    allowed: int
    moved: float
    chance: float
    what: str


def compared(
    spec: MonitorSpec, then: Behavior, now: Behavior, drifting: Collection[Signal]
) -> tuple[Finding, ...]:
    """A finding for each signal that both sides report; the others are unknown and have none."""
    span = f"{now.sessions:.0f} sessions of the last {format_duration(spec.window)} against {then.sessions:.0f} when accepted"
    return tuple(_finding(one, one.signal in drifting, span) for one in _moved(spec, then, now))


def _finding(one: _Moved, drifts: bool, span: str) -> Finding:
    allowed = one.allowed / FULL
    beyond = one.moved - one.chance
    return Finding(
        one.signal,
        beyond > (allowed * ENDS if drifts else allowed),
        one.moved,
        allowed,
        one.chance,
        f"{one.signal}: {one.what}; allowed {percent(allowed)}, and {percent(one.chance)} by chance; {span}",
    )


def _moved(spec: MonitorSpec, then: Behavior, now: Behavior) -> Iterator[_Moved]:
    n = (then.sessions, now.sessions)
    if then.tools is not None and now.tools is not None:
        yield _mix("toolMix", spec.tool_mix, then.tools, folded(now.tools, TOOLS, then.tools), n)
    if then.topics is not None and now.topics is not None:
        yield _mix("topicMix", spec.topic_mix, then.topics, folded(now.topics, TOPICS, then.topics), n)
    if then.length is not None and now.length is not None and then.length.total > 0.0:
        yield _length(spec.response_length, then.length, now.length)
    for event in EVENTS:
        if event in then.rates and event in now.rates:
            yield _rate(event, spec.events, then.rates[event], now.rates[event], n)


def _mix(signal: Signal, allowed: int, then: Mix, now: Mix, n: tuple[float, float]) -> _Moved:
    # NB: over the names of both: over those of the profile alone, a new one would be invisible.
    whole = sum(n)
    pooled = [
        (then.get(name, 0.0) * n[0] + now.get(name, 0.0) * n[1]) / whole for name in sorted({*then, *now})
    ]
    moved = apart(now, then)
    return _Moved(signal, allowed, moved, of_mixes(n, pooled), f"{percent(moved)} moved{changes(now, then)}")


def _length(allowed: int, then: Units, now: Units) -> _Moved:
    both = then.plus(now)
    mean = both.total / both.n
    variance = max(0.0, both.squares / both.n - mean * mean)
    before, after = then.total / then.n, now.total / now.n
    change = after / before - 1.0
    return _Moved(
        "responseLength",
        allowed,
        abs(change),
        of_means((then.n, now.n), variance) / before,
        f"mean answer {change * 100:+.1f}%, {after * 100:.3g}% of the cap after {before * 100:.3g}%",
    )


def _rate(event: Signal, allowed: int, then: float, now: float, n: tuple[float, float]) -> _Moved:
    pooled = (then * n[0] + now * n[1]) / sum(n)
    return _Moved(
        event,
        allowed,
        abs(now - then),
        of_means(n, pooled * (1.0 - pooled)),
        f"in {percent(now)} of the tasks after {percent(then)}, {(now - then) * 100:+.1f} points",
    )
