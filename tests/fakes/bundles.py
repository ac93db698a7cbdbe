"""An evidence store in memory, with the ledger's tasks beside it; it refuses, fails or hangs where a test says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agentrollouts.api.task import TaskRecord
from agentrollouts.bundles.document import document, is_same
from agentrollouts.ports import Bundle, Kept, NotKept

MOST_TASKS = 50


@dataclass
class FakeBundles:
    """Implements :class:`agentrollouts.ports.EvidenceStore`."""

    answer: NotKept | Exception | None = None
    """What every try comes to; None: it is kept."""
    hangs: bool = False
    tasks: list[TaskRecord] = field(default_factory=list)
    tried: list[Bundle] = field(default_factory=list)
    documents: dict[tuple[str, str, int, str], bytes] = field(default_factory=dict)
    """By namespace, Rollout, attempt and uid."""
    closed: bool = False

    async def keep(self, bundle: Bundle) -> Kept | NotKept:
        self.tried.append(bundle)
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        place = (bundle.namespace, bundle.rollout, bundle.facts.attempt, bundle.uid)
        kept = self.documents.setdefault(place, document(bundle, self._failed(bundle)))
        if is_same(json.loads(kept), bundle):
            return Kept()
        return NotKept(f"it keeps other evidence for attempt {bundle.facts.attempt}", final=True)

    async def close(self) -> None:
        self.closed = True

    def add(self, documents: Sequence[Any]) -> None:
        """Tasks that agents post."""
        self.tasks += [TaskRecord.model_validate(document) for document in documents]

    def read(self, namespace: str, rollout: str, attempt: int) -> Any:
        """What came last of the attempt; None where nothing did."""
        kept = [text for place, text in self.documents.items() if place[:3] == (namespace, rollout, attempt)]
        return json.loads(kept[-1]) if kept else None

    def _failed(self, bundle: Bundle) -> list[str]:
        found = [
            task
            for task in self.tasks
            if (task.namespace, task.agent, task.version)
            == (bundle.namespace, bundle.agent, bundle.facts.version)
            and (task.outcome, task.shadow) == ("failure", False)
            and task.finished_at >= bundle.facts.started_at
        ]
        found.sort(key=lambda task: (task.finished_at, task.id), reverse=True)
        return [task.id for task in found[:MOST_TASKS]]
