"""What shadows change in the ledger: a session waits for its score, gets it or does without; and what shadows cost.

The session is held by identity, not by key: a score that comes late can never land in the next session of the same user.
"""

from __future__ import annotations

from functools import partial

from agentrollouts_kit.counting import Change
from agentrollouts_kit.ledger import Ledger
from agentrollouts_kit.tally import Session, Tally
from agentrollouts_kit.vocabulary import OUTCOMES, SHADOW_DROPS, ShadowDrop


def await_score(ledger: Ledger, tally: Tally) -> bool:
    """Let the task's session wait for a score, if this is the session's first task; whether it does.

    From then on a call of `give_score` or `drop_score` has to come.
    """
    answers: list[bool] = []
    ledger.serially(lambda: answers.append(_await(ledger, tally)))
    if not answers:
        # NB: queued, because this very thread is amid another change: undone behind it, since nobody would.
        ledger.serially(lambda: _release(ledger, tally.session))
    return any(answers)


def give_score(ledger: Ledger, session: Session, *, score: int, value: float) -> bool:
    """Give the session the score it waits for; False when it is closed already."""
    answers: list[bool] = []
    ledger.serially(lambda: answers.append(_give(ledger, session, score, value)))
    return any(answers)


def drop_score(ledger: Ledger, session: Session, reason: ShadowDrop) -> None:
    """The session gets no score; count why, and let it close."""
    ledger.serially(partial(_drop, ledger, session, reason))


def count_shadow(ledger: Ledger, tally: Tally) -> None:
    """Count a shadow task that was answered here, and nothing else of it."""
    ledger.serially(partial(_count, ledger, tally))


def _await(ledger: Ledger, tally: Tally) -> bool:
    session, own = tally.session, ledger.layout.session
    if session is None or session.awaiting_score or not ledger.index.holds(session):
        return False
    outcomes = session.cell + own.outcomes
    ended = sum(ledger.cells.view[outcomes : outcomes + len(OUTCOMES)])
    session.awaiting_score = session.running == {tally} and not ended
    return session.awaiting_score


def _give(ledger: Ledger, session: Session, score: int, value: float) -> bool:
    if not ledger.index.holds(session):
        return False
    own, change = ledger.layout.session, Change(ledger.cells.view)
    change.add(session.cell + own.scored_tasks + score, 1)
    change.add(session.cell + own.score_sums + score, value)
    ledger.cells.commit(change.values)
    _release(ledger, session)
    return True


def _drop(ledger: Ledger, session: Session, reason: ShadowDrop) -> None:
    cells, change = ledger.layout.counters, Change(ledger.cells.view)
    change.add(session.cohort * cells.size + cells.shadow_drops + SHADOW_DROPS.index(reason), 1)
    ledger.cells.commit(change.values)
    _release(ledger, session)


def _release(ledger: Ledger, session: Session | None) -> None:
    if session is not None:
        session.awaiting_score = False
        ledger.settle(session)


def _count(ledger: Ledger, tally: Tally) -> None:
    cells, change = ledger.layout.counters, Change(ledger.cells.view)
    base = tally.cohort * cells.size
    change.add(base + cells.shadow_tasks, 1)
    change.add(base + cells.shadow_cost, tally.cost_usd)
    ledger.cells.commit(change.values)
    tally.counted = True
