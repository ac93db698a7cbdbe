"""What the ledger says about a rollout: pure functions, asked by the demo, the tests and the control port."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from agent_load.ledger import Ledger
from agent_load.row import ABANDONED, Row

Arm = tuple[str, str]
"""(cohort, version)."""
ROUTING_STATUSES: Final = frozenset({502, 503, 504})
"""What a router says when it finds nobody; the sample agent itself never answers with one of these."""
NO_ANSWER: Final = "none"


@dataclass(frozen=True, slots=True)
class ShareChange:
    """A change of shares, in basis points per arm; an arm that is not named has none.

    `at` is when it was decided, `heard` when somebody who watches the route heard of it, as routers do: on a busy machine
    seconds may lie between. Both in seconds since the epoch; `heard` is `at` where nobody watched.
    """

    at: float
    before: Mapping[Arm, int]
    after: Mapping[Arm, int]
    heard: float = 0.0

    def explains(self, left: Arm, joined: Arm) -> bool:
        """Whether a user may have moved: the arm they left shrank and the one they joined grew."""
        return self._growth(left) < 0 < self._growth(joined)

    def _growth(self, arm: Arm) -> int:
        return self.after.get(arm, 0) - self.before.get(arm, 0)


@dataclass(frozen=True, slots=True)
class SideChange:
    """A user who met another arm than before though no change of shares was a reason to."""

    user: int
    left: Arm
    joined: Arm
    at: float


def changed_sides(
    ledger: Ledger, changes: Sequence[ShareChange], *, settle_seconds: float = 5.0
) -> tuple[SideChange, ...]:
    """Every move of a user that no share change explains.

    A change explains a move between two consecutive requests when it was decided before the second was answered, and heard
    of at most `settle_seconds` (the time the routers take to follow) before the first was routed. A user who goes back and
    forth between routers that disagree is found: no change explains the way back.
    """
    found = []
    for user, rows in sorted(_by_user(ledger).items()):
        for earlier, later in pairwise(rows):
            left, joined = _arm(earlier), _arm(later)
            between = [
                c
                for c in changes
                if c.at <= later.done and earlier.routed - settle_seconds <= max(c.at, c.heard)
            ]
            if left != joined and not _explained(left, joined, between):
                found.append(SideChange(user, left, joined, later.routed))
    return tuple(found)


def _explained(left: Arm, joined: Arm, changes: Sequence[ShareChange]) -> bool:
    """Whether the changes between two requests can have led from one arm to the other, one after the other."""
    reached = {left}
    for change in sorted(changes, key=lambda each: each.at):
        grown = {arm for arm in change.after if any(change.explains(here, arm) for here in reached)}
        reached |= grown
    return joined in reached


def routing_errors(ledger: Ledger) -> tuple[Row, ...]:
    """Requests that got no answer from any agent: transport errors, and 502, 503, 504."""
    return tuple(row for row in ledger.rows() if _is_routing_error(row))


def started_after(ledger: Ledger, version: str, at: float) -> tuple[Row, ...]:
    """Requests that were routed at or after a moment (seconds since the epoch) and reached this version all the same."""
    return tuple(
        row for row in ledger.rows() if row.routed >= at and version in (row.version, row.routed_version)
    )


def misanswered(ledger: Ledger) -> tuple[Row, ...]:
    """Answers by another version than the one the router named."""
    return tuple(
        row
        for row in ledger.rows()
        if row.version and row.routed_version and row.version != row.routed_version
    )


def counts(ledger: Ledger) -> dict[tuple[str, str, str], int]:
    """Requests by (version, cohort, verdict)."""
    return dict(Counter((_version(row), row.cohort, row.verdict) for row in ledger.rows()))


def outcomes(ledger: Ledger) -> dict[tuple[str, str, str], int]:
    """Requests by (version, cohort, outcome), the outcome being what an honest agent reports for that answer.

    `none` where no answer came: whether the agent counted that task, its user cannot know.
    """
    return dict(Counter((_version(row), row.cohort, outcome_of(row)) for row in ledger.rows()))


def outcome_of(row: Row) -> str:
    """success, failure, refused, escalated, or none without an answer."""
    if row.verdict == NO_ANSWER:
        return "failure" if row.status == 500 else NO_ANSWER
    if row.label in ("refused", "escalated"):
        return row.label
    return "success" if row.verdict == "right" else "failure"


def summary(ledger: Ledger) -> dict[str, Any]:
    """The figures of a run that need no knowledge of the shares, ready for JSON."""
    rows = list(ledger.rows())
    seconds = sorted(row.done - row.sent for row in rows if row.verdict != NO_ANSWER)
    return {
        "requests": len(rows),
        "users": len({row.user for row in rows}),
        "sessions": len({row.session for row in rows}),
        "sessions_ended": sum(row.ends_session and outcome_of(row) != NO_ANSWER for row in rows),
        "routing_errors": dict(Counter(row.error + (f" {row.status}" if row.status else "") for row in rows if _is_routing_error(row))),
        "misanswered": len(misanswered(ledger)),
        "latency_seconds": {f"p{p}": round(seconds[int((len(seconds) - 1) * p / 100)], 4) for p in (50, 95, 99)} if seconds else {},
        "counts": [
            {"version": version, "cohort": cohort, "verdict": verdict, "requests": number}
            for (version, cohort, verdict), number in sorted(counts(ledger).items())
        ],
    }  # fmt: skip


def _is_routing_error(row: Row) -> bool:
    return row.status in ROUTING_STATUSES or row.error not in ("", "http", ABANDONED)


def _version(row: Row) -> str:
    return row.version or row.routed_version


def _arm(row: Row) -> Arm:
    return row.cohort, _version(row)


def _by_user(ledger: Ledger) -> dict[int, list[Row]]:
    """Each user's answered requests in the order in which they were routed."""
    users: dict[int, list[Row]] = defaultdict(list)
    for row in _answered(ledger):
        users[row.user].append(row)
    for rows in users.values():
        rows.sort(key=lambda row: (row.routed, row.sent))
    return users


def _answered(ledger: Ledger) -> Iterator[Row]:
    return (row for row in ledger.rows() if _version(row))
