"""What a version does, session by session, as one value: from counters, into a profile for the status, and back.

What nobody reports is None or missing, never 0: agents create every series at zero, so a series that isn't there is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, get_args

from agentrollouts.api.monitor import LengthProfile, ProfileStatus, WatchedEvent
from agentrollouts.api.scalars import FULL
from agentrollouts.core import counters
from agentrollouts.core.checks.events import SOURCES
from agentrollouts.core.checks.mixes import Mix, mix_of
from agentrollouts.core.evidence import Cell, CounterQuery, Evidence, Totals, sum_of
from agentrollouts.core.sequential.units import Units

READ: tuple[CounterQuery, ...] = (
    counters.SESSIONS,
    counters.SESSION_OUTCOMES,
    counters.SESSION_EVENTS,
    counters.SESSION_TOOLS,
    counters.SESSION_TOPICS,
    counters.ANSWERED_SESSIONS,
    counters.SESSION_LENGTH,
    counters.SESSION_LENGTH_SQUARES,
)
"""Every counter that is compared. All come in one bundle."""
EVENTS: tuple[WatchedEvent, ...] = get_args(WatchedEvent)
COHORTS = ("candidate", "stable", "control", "")
"""Calls past the router count for nobody: who tries an agent out isn't its user."""
TOOLS, TOPICS = 64, 32
"""Names that a profile holds, beside :data:`ALWAYS`."""
OTHER = "other"
ALWAYS = frozenset({OTHER, "none"})
LONGEST_NAME = 128
DIGITS = 6
"""Significant digits of a mean length in the status."""


class Behavior(NamedTuple):
    """What a version did in so many closed sessions. Parts of a mix add up to 1, rates are fractions."""

    sessions: float
    tools: Mix | None
    topics: Mix | None
    length: Units | None
    """Over the sessions that have an answer."""
    rates: Mapping[WatchedEvent, float]


def behavior_in(evidence: Evidence, version: str, *, recent: bool = False) -> Behavior | None:
    """What a version did, by evidence; ``recent``: within its window. None where its closed sessions aren't reported."""
    return behavior_of(evidence.pooled(version, cohorts=COHORTS, recent=recent))


def behavior_of(totals: Totals) -> Behavior | None:
    """What sums over closed sessions tell; None where there are none."""
    n = sum_of(totals, counters.SESSIONS.metric)
    if n <= 0.0:
        return None
    rates = {
        event: min(1.0, totals[cell] / n)
        for event in EVENTS
        if (cell := Cell(SOURCES[event][0].metric, SOURCES[event][1])) in totals
    }
    return Behavior(
        sessions=n,
        tools=mix_of(totals, counters.SESSION_TOOLS) or None,
        topics=mix_of(totals, counters.SESSION_TOPICS) or None,
        length=_length(totals),
        rates=rates,
    )


def folded(mix: Mix, most: int, known: Mix | None = None) -> Mix:
    """The mix with at most so many names; the rest is `other`.

    ``known`` is the mix it will be compared with. A name that isn't in it is a new one and stays, unless that mix is full: then
    it may be one of those that were left out there.
    """
    named = {name: part for name, part in mix.items() if name not in ALWAYS and len(name) <= LONGEST_NAME}
    if known is not None and sum(name not in ALWAYS for name in known) >= most:
        kept = named.keys() & known.keys()
    else:
        # NB: those that are known come first, or a crowd of new names could push one out and hide in `other` with it.
        ranked = sorted(named, key=lambda name: (known is None or name not in known, -named[name], name))
        kept = set(ranked[:most])
    result = {name: part for name, part in mix.items() if name in kept or name in ALWAYS}
    rest = sum(part for name, part in mix.items() if name not in result)
    return result | {OTHER: result.get(OTHER, 0.0) + rest} if rest else result


def profile_of(behavior: Behavior, at: datetime) -> ProfileStatus:
    """The behaviour in small numbers, for the status."""
    length = behavior.length
    return ProfileStatus(
        at=at,
        sessions=int(behavior.sessions),
        tools=_in_basis_points(behavior.tools, TOOLS),
        topics=_in_basis_points(behavior.topics, TOPICS),
        response_length=None
        if length is None
        else LengthProfile(
            sessions=int(length.n),
            mean=_rounded(length.total / length.n),
            squares=_rounded(length.squares / length.n),
        ),
        events={event: round(rate * FULL) for event, rate in behavior.rates.items()},
    )


def behavior_then(profile: ProfileStatus) -> Behavior:
    """The behaviour that a profile holds. A part or a rate is off by at most half a basis point."""
    length = profile.response_length
    return Behavior(
        sessions=float(profile.sessions),
        tools=_in_parts(profile.tools),
        topics=_in_parts(profile.topics),
        length=None
        if length is None
        else Units(length.sessions, length.mean * length.sessions, length.squares * length.sessions),
        rates={event: profile.events[event] / FULL for event in EVENTS if event in profile.events},
    )


def _length(totals: Totals) -> Units | None:
    n, total, squares = (
        sum_of(totals, query.metric)
        for query in (counters.ANSWERED_SESSIONS, counters.SESSION_LENGTH, counters.SESSION_LENGTH_SQUARES)
    )
    return Units(n, total, squares) if n >= 1.0 else None


def _in_basis_points(mix: Mix | None, most: int) -> dict[str, int] | None:
    if mix is None:
        return None
    kept = folded(mix, most)
    return {name: points for name in sorted(kept) if (points := round(kept[name] * FULL))}


def _in_parts(points: Mapping[str, int] | None) -> Mix | None:
    whole = sum(points.values()) if points else 0
    return {name: part / whole for name, part in points.items()} if points and whole else None


def _rounded(number: float) -> float:
    return min(1.0, float(f"{number:.{DIGITS}g}"))
