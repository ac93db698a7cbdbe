"""Where `replay run` takes its tasks from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentrollouts.api.task import TaskRecord
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.ledger import token_of
from agentrollouts.cli.replay_options import LEDGER, url
from agentrollouts.replay.errors import ReplayError


@dataclass(frozen=True, slots=True)
class Records:
    """Recorded tasks: of which source, and which of them. What is empty doesn't matter, but the ledger has to know whose tasks."""

    source: str
    namespace: str
    agent: str
    version: str
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
        )
        return all(asked in ("", found) for asked, found in pairs)

    def _ledger(self) -> Iterator[TaskRecord]:
        import httpx

        from agentrollouts.replay.source import from_ledger

        if not self.agent or not self.namespace:
            raise ReplayError(
                "--from ledger: expected --agent NAME and --namespace NAMESPACE, which say whose tasks"
            )
        address = url(self.ledger, "--ledger")
        headers = {"authorization": f"Bearer {self._token()}"} if self.token_file else {}
        with httpx.Client(headers=headers) as client:
            yield from from_ledger(
                client, address, namespace=self.namespace, agent=self.agent, version=self.version
            )

    def _token(self) -> str:
        try:
            return token_of(self.token_file)
        except CommandError as error:
            raise ReplayError(f"--token-file: {error}") from error
