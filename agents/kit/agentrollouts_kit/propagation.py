"""Headers for calls to other agents, so that a user meets the same cohort in every agent of a group.

Put them on calls to agents only: the session key is nobody else's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agentrollouts_kit.context import SESSION_HEADER, STAIN_HEADER, current


class _Headers(Protocol):
    def update(self, headers: Mapping[str, str], /) -> None: ...


class _Request(Protocol):
    """What both kinds of httpx request have; httpx itself is never imported here."""

    @property
    def headers(self) -> _Headers: ...


def propagation_headers() -> dict[str, str]:
    """The session and stain of the current request; empty outside of one."""
    context = current.get()
    pairs = ((SESSION_HEADER, context.session), (STAIN_HEADER, context.stain))
    return {name: value for name, value in pairs if value}


def propagate(request: _Request) -> None:
    """An event hook: `httpx.Client(event_hooks={"request": [propagate]})`."""
    request.headers.update(propagation_headers())


async def propagate_async(request: _Request) -> None:
    """An event hook: `httpx.AsyncClient(event_hooks={"request": [propagate_async]})`."""
    request.headers.update(propagation_headers())
