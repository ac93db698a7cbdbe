"""The index of the open sessions: by key, by age and by how long they have been quiet. No counting, no clock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from agentrollouts_kit.tally import Session

SessionKey = tuple[int, tuple[int, int]]


class SessionIndex:
    """Knows which slots are free and which session is the oldest or the longest quiet, each in constant time.

    Invariant: every open session is in `_by_age`; it is in `_quiet` exactly while no task of it runs.
    """

    def __init__(self, free: Iterable[int]) -> None:
        self._free = list(free)
        self._by_key: dict[SessionKey, Session] = {}
        self._by_age: OrderedDict[int, Session] = OrderedDict()
        self._quiet: OrderedDict[int, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_age)

    def holds(self, session: Session) -> bool:
        """Whether this very session is still open."""
        return self._by_age.get(session.cell) is session

    def all(self) -> tuple[Session, ...]:
        """The open sessions, the oldest first."""
        return tuple(self._by_age.values())

    def find(self, cohort: int, key: tuple[int, int]) -> Session | None:
        """The open session of this key that still takes tasks."""
        return self._by_key.get((cohort, key))

    def take_slot(self) -> int | None:
        """A free slot, or None when all are in use."""
        return self._free.pop() if self._free else None

    def add(self, session: Session) -> None:
        """Index a session; add the older ones first."""
        self._by_age[session.cell] = session
        if session.key is not None and not session.closing:
            self._by_key[session.cohort, session.key] = session

    def busy(self, session: Session) -> None:
        """A task of the session runs."""
        self._quiet.pop(session.cell, None)

    def quiet(self, session: Session) -> None:
        """The last running task of the session ended; the order of these calls is the order of quietness."""
        self._quiet[session.cell] = session

    def closing(self, session: Session) -> None:
        """The session takes no more tasks: the next one of its key begins a new session."""
        if session.key is not None and self._by_key.get((session.cohort, session.key)) is session:
            del self._by_key[session.cohort, session.key]

    def remove(self, session: Session) -> None:
        """Forget a closed session and free its slot."""
        self.closing(session)
        del self._by_age[session.cell]
        self._quiet.pop(session.cell, None)
        self._free.append(session.cell)

    def oldest(self) -> Session | None:
        """The session that was opened first."""
        return next(iter(self._by_age.values()), None)

    def quietest(self) -> Session | None:
        """The session whose last task ended longest ago, None while all have tasks running."""
        return next(iter(self._quiet.values()), None)
