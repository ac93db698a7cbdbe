"""What the router said about the request at hand, carried along by a context variable."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agentrollouts_kit.vocabulary import COHORTS, NO_COHORT

if TYPE_CHECKING:
    from agentrollouts_kit.capture import Capture
    from agentrollouts_kit.exchange import Exchange
    from agentrollouts_kit.replay import Replay
    from agentrollouts_kit.reporter import Reporter

COHORT_HEADER: Final = "x-agent-cohort"
SESSION_HEADER: Final = "x-agent-session"
STAIN_HEADER: Final = "x-agent-stain"
SESSION_END_HEADER: Final = "x-agent-session-end"
SHADOW_HEADER: Final = "x-agent-shadow"
"""On a request that is asked only to compare the answer: the cohort that asks."""
REPLAY_HEADER: Final = "x-agent-replay"
"""On a recorded task that is done again: the token that opens its record."""
_WANTED: Final = {
    name.encode(): name
    for name in (
        COHORT_HEADER,
        SESSION_HEADER,
        STAIN_HEADER,
        SESSION_END_HEADER,
        SHADOW_HEADER,
        REPLAY_HEADER,
    )
}
_COHORT_INDEX: Final = {cohort: index for index, cohort in enumerate(COHORTS)}


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The cohort (index into the vocabulary), session key and stain of a request; `reporter` is who counts it.

    `shadow`: nobody waits for the answer as a user does. Its `cohort` is the one that asks, and it has neither session
    nor stain. `capture`: the request was sampled to be asked again as a shadow. `exchange`: its bodies go to the ledger.
    `replay_token` is what the request brought, `replay` the record it opened; a replay is a shadow, too.
    """

    cohort: int = NO_COHORT
    session: str | None = None
    stain: str | None = None
    ends_session: bool = False
    reporter: Reporter | None = None
    shadow: bool = False
    capture: Capture | None = None
    exchange: Exchange | None = None
    replay_token: str | None = None
    replay: Replay | None = None


_NO_REQUEST: Final = RequestContext()
current: ContextVar[RequestContext] = ContextVar("agentrollouts_request", default=_NO_REQUEST)


def request_context(
    headers: Iterable[tuple[bytes, bytes]], reporter: Reporter | None = None
) -> RequestContext:
    """Read the headers of a request, as ASGI gives them: lower-case names, bytes.

    A cohort that is none of ours counts as `none`: a label value never comes from a header.
    """
    found = {_WANTED[name]: value.decode("latin-1") for name, value in headers if name in _WANTED}
    if REPLAY_HEADER in found:
        return RequestContext(reporter=reporter, shadow=True, replay_token=found[REPLAY_HEADER])
    if SHADOW_HEADER in found:
        asking = _COHORT_INDEX.get(found[SHADOW_HEADER], NO_COHORT)
        return RequestContext(cohort=asking, reporter=reporter, shadow=True)
    return RequestContext(
        cohort=_COHORT_INDEX.get(found.get(COHORT_HEADER, ""), NO_COHORT),
        session=found.get(SESSION_HEADER) or None,
        stain=found.get(STAIN_HEADER) or None,
        ends_session=found.get(SESSION_END_HEADER, "").strip().lower() == "true",
        reporter=reporter,
    )
