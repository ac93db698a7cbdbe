"""What a new process makes of the block that a killed one left behind."""

from __future__ import annotations

from agentrollouts_kit.cells import Cells
from agentrollouts_kit.closing import close_session
from agentrollouts_kit.counting import SLOT_CLOSING, SLOT_FREE, Change, add_crashed_tasks
from agentrollouts_kit.layout import Layout
from agentrollouts_kit.sessions import SessionIndex
from agentrollouts_kit.tally import Session


def recover(cells: Cells, layout: Layout, *, now: float) -> SessionIndex:
    """Count the tasks that died as failures, finish what was closing, and index the sessions that go on.

    Their users may well come back to this pod: a crash fails the tasks it interrupted, it does not end a session.
    """
    free, found = [], []
    for number in reversed(range(layout.slots)):
        cell = layout.slot(number)
        if cells.view[cell + layout.session.state] == SLOT_FREE:
            free.append(cell)
        else:
            found.append(_recover_slot(cells, layout, cell, now=now))
    index = SessionIndex(free)
    for session in sorted(found, key=lambda session: session.started):
        index.add(session)
    for session in sorted(found, key=lambda session: session.last):
        index.quiet(session)
        if session.closing:
            change = Change(cells.view)
            close_session(change, layout, session.cell, cohort=session.cohort, reason="explicit")
            cells.commit(change.values)
            index.remove(session)
    return index


def _recover_slot(cells: Cells, layout: Layout, cell: int, *, now: float) -> Session:
    own, view = layout.session, cells.view
    cohort, running = int(view[cell + own.cohort]), int(view[cell + own.running])
    change = Change(view)
    add_crashed_tasks(change, layout, cell, cohort=cohort, tasks=running)
    if view[cell + own.last] > now:
        # The clock began anew, as after a reboot of the node: how long ago it was is unknown.
        change.set(cell + own.started, now)
        change.set(cell + own.last, now)
    cells.commit(change.values)
    closing = view[cell + own.state] == SLOT_CLOSING
    key = (int(view[cell + own.key_high]), int(view[cell + own.key_low]))
    return Session(
        cell,
        cohort,
        None if key == (0, 0) else key,
        started=view[cell + own.started],
        last=view[cell + own.last],
        closing=closing,
    )
