"""Task records for the tests of the ledger."""

from __future__ import annotations

from typing import Any

from agentrollouts.api.task import TaskRecord

SECOND = 1_000_000
BEGIN = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z in microseconds."""


def document(number: int, **fields: Any) -> dict[str, Any]:
    """A posted task; `number` makes its id, and the second of 2026-01-01 in which it ended."""
    minute, second = divmod(number % 3600, 60)
    return {
        "id": f"{number:032x}",
        "namespace": "shop",
        "agent": "support",
        "version": "1.2.0",
        "digest": "sha256:" + "ab" * 32,
        "cohort": "stable",
        "session": "",
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": f"2026-01-01T{number // 3600:02d}:{minute:02d}:{second:02d}Z",
        "outcome": "success",
        "input": {"question": f"number {number}"},
    } | fields


def record(number: int, **fields: Any) -> TaskRecord:
    return TaskRecord.model_validate(document(number, **fields))
