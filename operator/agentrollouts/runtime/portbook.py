"""Listener ports of routes: one for each rollout, stable over restarts, unique even among those not written yet."""

from __future__ import annotations

from hashlib import sha256

from agentrollouts.api.agentroute import PORT_FIRST, PORT_LAST
from agentrollouts.runtime.views import Place

SIZE = PORT_LAST - PORT_FIRST + 1


class NoPortError(Exception):
    """All ports are taken."""


class PortBook:
    """Which rollout has which port."""

    def __init__(self) -> None:
        self._by_port: dict[int, Place] = {}
        self._by_place: dict[Place, int] = {}

    def seen(self, place: Place, port: int) -> None:
        """A route with this port exists."""
        if self._by_place.get(place) == port:
            return
        self.free(place)
        self._by_port.setdefault(port, place)
        self._by_place[place] = port

    def free(self, place: Place) -> None:
        """The rollout has no route any more."""
        port = self._by_place.pop(place, None)
        if port is not None and self._by_port.get(port) == place:
            del self._by_port[port]

    def reserve(self, place: Place) -> int:
        """The rollout's port, or the first free one from where its name hashes to. Raises NoPortError if there is none."""
        known = self._by_place.get(place)
        if known is not None:
            return known
        start = int.from_bytes(sha256("\x00".join(place).encode()).digest()[:8], "big") % SIZE
        for step in range(SIZE):
            port = PORT_FIRST + (start + step) % SIZE
            if port not in self._by_port:
                self.seen(place, port)
                return port
        raise NoPortError(f"all {SIZE} listener ports are taken; delete Rollouts that are no longer needed")
