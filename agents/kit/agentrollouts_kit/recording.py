"""From a task to its record: begun with the task, completed by the HTTP answer, handed to `Posting`. Nothing here raises."""

from __future__ import annotations

import random
from collections.abc import MutableMapping
from typing import Any

from agentrollouts_kit.exchange import Exchange
from agentrollouts_kit.posting import Posting
from agentrollouts_kit.problems import Problems
from agentrollouts_kit.records import Draft
from agentrollouts_kit.tally import Tally


class Recording:
    """Takes down the tasks of one process for the task ledger, if there is one. A forked child makes its own, whose ids are others."""

    def __init__(self, posting: Posting, problems: Problems) -> None:
        self._posting = posting
        self._problems = problems
        # NB: of its own, since an agent may seed everybody's; and not the system's, which lets another thread have the interpreter.
        self._chance = random.Random()  # noqa: S311 - an id is no secret

    def exchange(self, scope: MutableMapping[str, Any]) -> Exchange | None:
        """What looks on at a request for its task's record."""
        return Exchange(scope) if self._posting.enabled and scope["type"] == "http" else None

    def begin(self, *, cohort: int, session: str | None, shadow: bool) -> Draft | None:
        """The record of a task that begins; None when there is no ledger."""
        if not self._posting.enabled:
            return None
        return Draft(f"{self._chance.getrandbits(128):032x}", cohort, session, shadow)

    def finish(
        self, draft: Draft, tally: Tally, outcome: int, *, seconds: float, exchange: Exchange | None
    ) -> None:
        """The task has ended, so many seconds after it began. A record that lacks a body waits for the HTTP answer."""
        draft.outcome = outcome
        draft.finished = draft.started + max(0.0, seconds)
        if tally.events:
            draft.events = frozenset(tally.events)
        draft.cost_usd, draft.llm_calls = tally.cost_usd, tally.llm_calls
        if exchange is None or not exchange.claim() or not exchange.hold(draft):
            self._put(draft)

    def end(self, exchange: Exchange) -> None:
        """The request has been answered."""
        try:
            held = exchange.end()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with recording is not the agent's
            self._problems.note("record", "a request could not be recorded: this is a bug", error=error)
            return
        if held is not None:
            self._put(held)

    def _put(self, draft: Draft) -> None:
        try:
            self._posting.put(draft)
        except Exception as error:  # noqa: BLE001 - as above
            self._problems.note("record", "a task could not be recorded", error=error)
