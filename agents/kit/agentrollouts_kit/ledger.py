"""The one place where counts change: tasks begin and end, sessions open and close, each as one atomic change.

Every public method may be called from any thread, from a signal handler, and from a destructor that the garbage
collector runs while another method of the same thread is at work: such a call is queued and done right after.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from agentrollouts_kit.cells import Cells
from agentrollouts_kit.closing import close_session
from agentrollouts_kit.counting import (
    SLOT_CLOSING,
    SLOT_OPEN,
    UNFINISHED,
    Change,
    add_task,
    add_task_to_session,
)
from agentrollouts_kit.layout import Layout
from agentrollouts_kit.recovery import recover
from agentrollouts_kit.sessions import SessionIndex
from agentrollouts_kit.tally import Caps, Session, Tally
from agentrollouts_kit.vocabulary import FAILURE, OUTCOMES, CloseReason

_SWEEP_PER_TASK, _SWEEP_BATCH = 4, 50
Clock = Callable[[], float]
Key = tuple[int, int]


class Ledger:
    """Counts tasks and sessions into `cells`.

    `clock` is monotonic in seconds and has to survive the process: the start of a session is stored by it.
    """

    def __init__(
        self,
        cells: Cells,
        layout: Layout,
        *,
        clock: Clock,
        idle_seconds: float,
        max_seconds: float,
        caps: Caps,
    ) -> None:
        self.cells = cells
        self.layout = layout
        self._clock = clock
        self._idle = idle_seconds
        self._max = max_seconds
        self._caps = caps
        self._lock = threading.RLock()
        self._queue: deque[Callable[[], None]] = deque()
        self._busy = False
        self._draining = False
        self.index: SessionIndex = recover(cells, layout, now=clock())

    @property
    def open_sessions(self) -> int:
        """Sessions assigned and not closed."""
        return len(self.index)

    @property
    def running_tasks(self) -> int:
        """Tasks begun and not counted, over all open sessions."""
        with self._lock:
            return sum(len(session.running) for session in self.index.all())

    def begin(self, tally: Tally, key: Key | None) -> None:
        """A task begins: from now on a crash counts it as a failure. `key` None makes it a session of its own."""
        self.serially(partial(self._begin, tally, key))

    def finish(self, tally: Tally, outcome: int) -> None:
        """A task ended. A task that was counted before (its session expired) is not counted again."""
        self.serially(partial(self._finish, tally, outcome))

    def end_session(self, cohort: int, key: Key) -> None:
        """Close the session of this key, after the tasks of it that still run."""
        self.serially(partial(self._end_session, cohort, key))

    def feedback(self, cohort: int, key: Key, event: int) -> bool:
        """Count an event for one more task of the key's open session; whether there was such a session.

        False too, though it will be counted, when the call had to be queued.
        """
        counted: list[bool] = []
        self.serially(lambda: counted.append(self._feedback(cohort, key, event)))
        return any(counted)

    def sweep(self) -> None:
        """Close every session that has been quiet or open for too long; in batches, so that no task waits long."""
        finished: list[bool] = []
        while not (finished and finished[-1]):
            self.serially(lambda: finished.append(self._sweep(_SWEEP_BATCH)))

    def drain(self) -> None:
        """From now on a session closes as soon as none of its tasks runs; those without one close now."""
        self._draining = True
        self._for_all(self.settle)

    def abandon(self) -> None:
        """Count every task that still runs as a failure and close its session: the process is about to end."""
        self._for_all(self._expire)

    def counters(self) -> tuple[Sequence[float], float]:
        """All counter cells, and the sequence they belong to."""
        with self._lock:
            return self.cells.read(self.layout.counters_size)

    def serially(self, operation: Callable[[], None]) -> None:
        """Do this at once, or right after what this very thread is in the middle of."""
        with self._lock:
            self._queue.append(operation)
            if self._busy:
                return
            self._busy = True
            try:
                while self._queue:
                    self._queue.popleft()()
            finally:
                self._busy = False

    def _for_all(self, operation: Callable[[Session], None]) -> None:
        with self._lock:
            sessions = self.index.all()
        for session in sessions:
            self.serially(partial(operation, session))

    def _begin(self, tally: Tally, key: Key | None) -> None:
        now = self._clock()
        self._sweep(_SWEEP_PER_TASK)
        session = self.index.find(tally.cohort, key) if key is not None else None
        if session is not None and self._close_if_over(session, now):
            session = None
        if session is None:
            session = self._open(tally.cohort, key, now)
        else:
            own, change = self.layout.session, Change(self.cells.view)
            change.add(session.cell + own.running, 1)
            change.set(session.cell + own.last, now)
            self.cells.commit(change.values)
        session.running.add(tally)
        session.last = now
        tally.session = session
        self.index.busy(session)

    def _open(self, cohort: int, key: Key | None, now: float) -> Session:
        while (cell := self.index.take_slot()) is None:
            self._evict()
        own, view = self.layout.session, self.cells.view
        view[cell : cell + own.size] = memoryview(bytes(8 * own.size)).cast("d")
        change = Change(view)
        high, low = key if key is not None else (0, 0)
        # A task without a key stands as "closing" from the start: it closes with its only task, after a crash too.
        change.set(cell + own.state, SLOT_OPEN if key is not None else SLOT_CLOSING)
        change.set(cell + own.cohort, cohort)
        change.set(cell + own.key_high, high)
        change.set(cell + own.key_low, low)
        change.set(cell + own.started, now)
        change.set(cell + own.last, now)
        change.set(cell + own.running, 1)
        counters = self.layout.counters
        change.add(cohort * counters.size + counters.assigned, 1)
        self.cells.commit(change.values)
        session = Session(cell, cohort, key, started=now, last=now, closing=key is None)
        self.index.add(session)
        return session

    def _finish(self, tally: Tally, outcome: int) -> None:
        session, now = tally.session, self._clock()
        # Not held: a fork copied the task, and the session is the parent's to count.
        if tally.counted or session is None or not self.index.holds(session):
            return
        self._count(session, tally, outcome=outcome, seconds=max(0.0, now - tally.started))
        session.last = now
        if not session.running:
            self.index.quiet(session)
            self.settle(session)

    def _count(self, session: Session, tally: Tally, *, outcome: int, seconds: float) -> None:
        layout, change = self.layout, Change(self.cells.view)
        add_task(change, layout, tally, outcome=outcome, seconds=seconds)
        add_task_to_session(
            change,
            layout,
            session.cell,
            tally,
            outcome=outcome,
            seconds=seconds,
            caps=self._caps,
        )
        change.set(session.cell + layout.session.last, self._clock())
        if tally.ends_session:
            self._stop_taking_tasks(session, change)
        self.cells.commit(change.values)
        tally.counted = True
        session.running.discard(tally)

    def _end_session(self, cohort: int, key: Key) -> None:
        session = self.index.find(cohort, key)
        if session is not None:
            change = Change(self.cells.view)
            self._stop_taking_tasks(session, change)
            self.cells.commit(change.values)
            self.settle(session)

    def _feedback(self, cohort: int, key: Key, event: int) -> bool:
        session = self.index.find(cohort, key)
        if session is None or self._close_if_over(session, self._clock()):
            return False
        own, counters, change = self.layout.session, self.layout.counters, Change(self.cells.view)
        outcomes, cell = session.cell + own.outcomes, session.cell + own.events + event
        if change.view[cell] < sum(change.view[outcomes : outcomes + len(OUTCOMES)]):
            change.add(cell, 1)
        elif unaware := [tally for tally in session.running if event not in tally.events]:
            min(unaware, key=lambda tally: tally.started).events.setdefault(event, 0)
        change.add(cohort * counters.size + counters.events + event, 1)
        self.cells.commit(change.values)
        return True

    def _stop_taking_tasks(self, session: Session, change: Change) -> None:
        session.closing = True
        self.index.closing(session)
        change.set(session.cell + self.layout.session.state, SLOT_CLOSING)

    def settle(self, session: Session) -> None:
        """Close a session that is to close, has no task running and waits for no score."""
        if session.running or session.awaiting_score or not self.index.holds(session):
            return
        if session.closing:
            self._close(session, "explicit")
        elif self._draining:
            self._close(session, "idle")

    def _sweep(self, limit: int) -> bool:
        """Close up to `limit` sessions that are over; whether those were all."""
        now = self._clock()
        for _ in range(limit):
            quietest, oldest = self.index.quietest(), self.index.oldest()
            old = oldest is not None and self._close_if_over(oldest, now)
            idle = not old and quietest is not None and self._close_if_over(quietest, now)
            if not old and not idle:
                return True
        return False

    def _close_if_over(self, session: Session, now: float) -> bool:
        """Quiet for too long closes as idle even when the session is also too old: nothing of it hangs."""
        if not session.running and now - session.last >= self._idle:
            self._close(session, "idle")
        elif now - session.started >= self._max:
            self._expire(session)
        else:
            return False
        return True

    def _evict(self) -> None:
        """All slots are taken: the longest quiet session closes as idle, or else the oldest as expired."""
        if (quietest := self.index.quietest()) is not None:
            self._close(quietest, "idle")
        elif (oldest := self.index.oldest()) is not None:
            self._expire(oldest)

    def _expire(self, session: Session) -> None:
        """Close a session whatever it does: a task that still runs is a failure that never ended."""
        if self.index.holds(session):
            for tally in tuple(session.running):
                self._count(session, tally, outcome=FAILURE, seconds=UNFINISHED)
            self._close(session, "expired")

    def _close(self, session: Session, reason: CloseReason) -> None:
        change = Change(self.cells.view)
        close_session(change, self.layout, session.cell, cohort=session.cohort, reason=reason)
        self.cells.commit(change.values)
        self.index.remove(session)
