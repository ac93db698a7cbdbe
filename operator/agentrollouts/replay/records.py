"""Which recorded tasks a replay draws from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.errors import NotYetError, ReplayError
from agentrollouts.replay.journal import Journal
from agentrollouts.replay.plan import Plan, chosen
from agentrollouts.token_file import NoTokenError, token_in

LEDGER = "ledger"
PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)
"""Seconds between two tries to read from a ledger that doesn't answer yet."""


@dataclass(frozen=True, slots=True)
class Records:
    """Recorded tasks: of which source, a file or ``ledger``, and which of them.

    What is empty doesn't matter, but the ledger has to know whose tasks. ``outcome``: what users met them as.
    """

    source: str
    namespace: str
    agent: str
    version: str
    outcome: str
    ledger: str
    token_file: str

    def read(self) -> Iterator[TaskRecord]:
        """The records. Raises ReplayError, while they are read, too."""
        from agentrollouts.replay.source import from_file

        if self.source == LEDGER:
            yield from self._ledger()
        else:
            yield from filter(self._wanted, from_file(Path(self.source)))

    def _wanted(self, record: TaskRecord) -> bool:
        pairs = (
            (self.namespace, record.namespace),
            (self.agent, record.agent),
            (self.version, record.version),
            (self.outcome, record.outcome),
        )
        return all(asked in ("", found) for asked, found in pairs)

    def _ledger(self) -> Iterator[TaskRecord]:
        import httpx

        from agentrollouts.replay.source import from_ledger

        if not self.agent or not self.namespace:
            raise ReplayError(
                "--from ledger: expected --agent NAME and --namespace NAMESPACE, which say whose tasks"
            )
        if not self.ledger.startswith(("http://", "https://")):
            raise ReplayError(
                f"--ledger: expected a URL such as http://ledger.agent-rollouts:8090; got {self.ledger!r}"
            )
        headers = {"authorization": f"Bearer {_token(self.token_file)}"} if self.token_file else {}
        with httpx.Client(headers=headers) as client:
            yield from from_ledger(
                client,
                self.ledger,
                namespace=self.namespace,
                agent=self.agent,
                version=self.version,
                outcome=self.outcome,
            )


def _token(path: str) -> str:
    try:
        return token_in(path)
    except NoTokenError as error:
        raise ReplayError(f"--token-file: {error}") from error


def drawn(journal: Journal, records: Records, count: int, *, seed: str) -> Plan:
    """What the journal has chosen is enough, or more is chosen: a replay that goes on does the tasks that it began with."""
    before = journal.kept.tasks
    if len(before) >= count:
        return Plan(tuple(before[:count]), journal.kept.left_out)
    plan = chosen(records.read(), count, seed=seed, before=before)
    journal.choose(plan, count)
    return plan


async def drawn_with_patience(
    journal: Journal,
    records: Records,
    count: int,
    *,
    seed: str,
    tell: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Plan:
    """As ``drawn``, once and for all: a Job's next pod has what the first one had, also where there were fewer than ``count``.

    A ledger that doesn't answer yet is asked again for about two minutes. The Job may begin right after its token was made, and a ledger's
    files lag about a minute behind a Secret.
    """
    kept = journal.kept
    if kept.chosen == count:
        return Plan(tuple(kept.tasks[:count]), kept.left_out)
    for pause in PAUSES:
        try:
            return drawn(journal, records, count, seed=seed)
        except NotYetError as error:
            tell(f"{error}; it is asked again in {pause:g} s")
        await sleep(pause)
    return drawn(journal, records, count, seed=seed)
