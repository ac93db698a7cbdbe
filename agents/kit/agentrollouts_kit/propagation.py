"""Headers for calls to other agents, so that a user meets the same cohort in every agent of a group.

Put them on calls to agents only: the session key is nobody else's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agentrollouts_kit.context import SESSION_HEADER, SHADOW_HEADER, STAIN_HEADER, current
from agentrollouts_kit.vocabulary import COHORTS


class _Headers(Protocol):
    def update(self, headers: Mapping[str, str], /) -> None: ...


class _Request(Protocol):
    """What both kinds of httpx request have; httpx itself is never imported here."""

    @property
    def headers(self) -> _Headers: ...


def propagation_headers() -> dict[str, str]:
    """The session and stain of the current request; that it is a shadow, for one; empty outside of one.

    What a shadow asks of other agents is a shadow too: it must do nothing there and count for nobody either.
    """
    context = current.get()
    if context.shadow:
        return {SHADOW_HEADER: COHORTS[context.cohort]}
    pairs = ((SESSION_HEADER, context.session), (STAIN_HEADER, context.stain))
    return {name: value for name, value in pairs if value}


def propagate(request: _Request) -> None:
    """An event hook: `httpx.Client(event_hooks={"request": [propagate]})`."""
    request.headers.update(propagation_headers())


async def propagate_async(request: _Request) -> None:
    """An event hook: `httpx.AsyncClient(event_hooks={"request": [propagate_async]})`."""
    request.headers.update(propagation_headers())
