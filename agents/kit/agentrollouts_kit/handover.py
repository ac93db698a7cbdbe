"""From the agent's threads to the one that writes records: for the agent one append, and nothing that it could wait for.

To wake a thread costs the one that wakes it more than all the rest, and then both want the interpreter at once. So the writer
rests for a moment between two looks and takes what has come by then; it is woken only where it sleeps, because a look
found nothing, or where half the room is taken.
"""

from __future__ import annotations

import queue
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Handover(Generic[Item]):
    """Bounded; many threads put, one takes. `rest_seconds` is how long what is put may wait before it is looked at."""

    def __init__(self, most: int, *, rest_seconds: float) -> None:
        self._most = most
        self._rest_seconds = rest_seconds
        self._items: deque[Item] = deque()
        # NB: of C, so that whoever is interrupted while it rings, by a signal for one, may ring again.
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._asleep = self._hurried = self._closed = False

    def __len__(self) -> int:
        """How many were put and are not `done`."""
        return len(self._items)

    def put(self, item: Item) -> bool:
        """Hand it over; False when there is no room. Never waits and never raises."""
        before = len(self._items)
        if before >= self._most:
            return False
        self._items.append(item)
        if self._asleep or before == self._most // 2:
            self._asleep = False
            self._bell.put(None)
        return True

    def wait(self) -> bool:
        """Until there is something to take; False when it is closed and there is nothing."""
        while not self._items:
            if self._closed:
                return False
            self._asleep = True
            # NB: looked at once more, for who put something before it could see that a bell is needed.
            if not self._items and not self._closed:
                self._bell.get()
            self._asleep = False
        if not self.hurried:
            self._rest()
        return True

    @property
    def hurried(self) -> bool:
        """Whether whoever takes should not rest: half the room is taken, or it comes to the end."""
        return self._hurried or self._closed or len(self._items) > self._most // 2

    def oldest(self, most: int) -> list[Item]:
        """Those that wait the longest. They count until they are `done`."""
        # NB: no iterator, which would end in an error as soon as another thread puts something.
        return [self._items[place] for place in range(min(most, len(self._items)))]

    def done(self, number: int) -> None:
        """Let go of that many of the oldest."""
        for _ in range(number):
            self._items.popleft()

    def hurry(self) -> None:
        """Rest no more from here on."""
        self._hurried = True
        self._bell.put(None)

    def close(self) -> None:
        """Let the writer end when it has taken what is there."""
        self._closed = True
        self._bell.put(None)

    def _rest(self) -> None:
        try:
            self._bell.get(timeout=self._rest_seconds)
        except queue.Empty:
            return
