"""A real ledger process whose files may not grow, as on a full disk, and one that is told to stop."""

from __future__ import annotations

import time
from pathlib import Path

from tests.ledger.process import LedgerProcess
from tests.ledger.tasks import document


def test_a_full_ledger_says_so_keeps_what_it_has_and_takes_the_same_batch_later(tmp_path: Path) -> None:
    ledger = LedgerProcess(tmp_path)
    ledger.start()
    first = [document(number) for number in range(5)]
    assert ledger.post("/v1/tasks", first)[0] == 202
    ledger.limit_files(8192)
    batch = [document(number, output="x" * 10_000) for number in range(3, 20)]
    status, headers, answer = ledger.post("/v1/tasks", batch)
    assert (status, headers["retry-after"]) == (503, "10")
    assert "nothing was stored" in answer["error"]
    assert [int(task["id"], 16) for task in ledger.tasks()] == [4, 3, 2, 1, 0]
    ledger.limit_files(-1)
    assert ledger.post("/v1/tasks", batch)[2] == {"stored": 15, "duplicates": 2, "rejected": []}
    ledger.kill()
    ledger.start()
    assert [int(task["id"], 16) for task in ledger.tasks()] == list(range(19, -1, -1))
    assert ledger.stop() in (0, -15)
    ledger.close()


def test_what_is_old_is_removed_when_the_ledger_starts(tmp_path: Path) -> None:
    ledger = LedgerProcess(tmp_path, "--insecure", "--max-tasks", "2")
    ledger.start()
    ledger.post("/v1/tasks", [document(number) for number in range(5)])
    ledger.stop()
    ledger.start()
    deadline = time.monotonic() + 60
    while len(ledger.tasks()) > 2:
        assert time.monotonic() < deadline, "nothing was removed"
    assert [int(task["id"], 16) for task in ledger.tasks()] == [4, 3]
    ledger.close()
