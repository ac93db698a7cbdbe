"""What people are told of a rollout: from a decision to notices in its status, each once.

A decision that moves traffic is told with the intent it leaves on the route. That has happened once, however often the
operator dies meanwhile: what was never reported is caught up with, and its notice with it. A state that a rollout stays in
(waiting for approval, paused, stalled) is told when it is entered first, and remembered by its identity for as long as the
attempt lasts, so that one that comes and goes isn't told again and again. A drift of the version that serves is told when the status
begins to have it.

A notice is pending from the status write that reports its decision until the shell has delivered it.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentrollouts.api.agentroute import Intent
from agentrollouts.api.notify import TOLD, WAITING, Happening
from agentrollouts.api.notify import NoticesStatus as Notices
from agentrollouts.api.notify import NoticeStatus as Notice
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.decision import Decision
from agentrollouts.core.notice import attempt_of, drifted, entered, moved
from agentrollouts.core.plan import Emit
from agentrollouts.core.snapshot import Snapshot

_STATES: frozenset[Happening] = frozenset({"ApprovalNeeded", "Paused", "Stalled"})
"""What lasts, and is found anew at every look."""
_EXPENDABLE: frozenset[Happening] = frozenset({"Started", "Advanced"})
"""What goes first where too much waits: nobody has to act on it."""


def with_notices(
    snapshot: Snapshot,
    intent: Intent | None,
    decision: Decision,
    results: tuple[CheckResult, ...],
    status: RolloutStatus,
) -> RolloutStatus:
    """``status``, the next one, with what is to be told of the decision, and without what has been delivered."""
    if not snapshot.spec.notify and status.notices is None:
        return status
    if intent is None:
        fresh = entered(snapshot, decision, results) or drifted(snapshot, status)
    else:
        fresh = moved(snapshot, intent, results)
    return _kept(snapshot, status, fresh)


def caught_up(snapshot: Snapshot, intent: Intent, status: RolloutStatus) -> RolloutStatus:
    """``status``, which has the route's last decision in it, with what is to be told of that one.

    ``snapshot`` is the rollout as it was reported, without that decision.
    """
    return _kept(snapshot, status, moved(snapshot, intent, ())) if snapshot.spec.notify else status


def given_up(snapshot: Snapshot, status: RolloutStatus) -> tuple[Emit, ...]:
    """An event for each notice that had to make room in ``status``, the next one: somebody waits for it in vain."""
    before = snapshot.status.notices
    if before is None or status.notices is before:
        return ()
    left = {notice.id for notice in status.notices.pending} if status.notices else set()
    return tuple(
        Emit(
            "NotificationFailed",
            f"{notice.happening} of {notice.candidate} was not delivered to {', '.join(notice.to)} and made room for"
            f" what happened since: at most {WAITING} notices wait",
            "Warning",
        )
        for notice in before.pending
        if notice.id not in left and notice.id not in snapshot.delivered and _named(snapshot, notice.to)
    )


def _kept(snapshot: Snapshot, status: RolloutStatus, fresh: Notice | None) -> RolloutStatus:
    before = status.notices or Notices()
    pending = [
        notice if to == notice.to else notice.model_copy(update={"to": to})
        for notice in before.pending
        if notice.id not in snapshot.delivered and (to := _named(snapshot, notice.to))
    ]
    present = f"{snapshot.identity.uid}.{attempt_of(status)}."
    told = [identity for identity in before.told if identity.startswith(present)]
    if fresh is not None and fresh.id not in (*told, *(notice.id for notice in before.pending)):
        pending.append(fresh)
        if fresh.happening in _STATES:
            told = [*told, fresh.id][-TOLD:]
    while len(pending) > WAITING:
        pending.remove(next((n for n in pending if n.happening in _EXPENDABLE), pending[0]))
    after = Notices(told=tuple(told), pending=tuple(pending)) if told or pending else None
    return status if after == status.notices else status.model_copy(update={"notices": after})


def _named(snapshot: Snapshot, to: Iterable[str]) -> tuple[str, ...]:
    """Those of the notifiers that the spec still has."""
    names = {notifier.name for notifier in snapshot.spec.notify}
    return tuple(name for name in to if name in names)
