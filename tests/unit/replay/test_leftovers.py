"""What becomes of the journals that the Jobs of one claim have left there."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from agentrollouts.core.replay_job import KEPT_JOURNAL
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.leftovers import OLD_SECONDS, kept_until_judged


def put(folder: Path, name: str, *, age: float = 0.0) -> Path:
    path = folder / name
    path.write_text("users' questions")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_a_journal_and_its_embeddings_go_with_the_verdict_and_no_others(tmp_path: Path) -> None:
    mine, vectors = (put(tmp_path, f"a{KEPT_JOURNAL}{end}") for end in ("", ".vectors"))
    other = put(tmp_path, f"b{KEPT_JOURNAL}")
    with kept_until_judged(mine):
        assert mine.exists()
    assert sorted(tmp_path.iterdir()) == [other]
    assert not vectors.exists()


def test_without_a_verdict_for_good_it_goes_and_after_a_stop_it_stays(tmp_path: Path) -> None:
    mine = put(tmp_path, f"a{KEPT_JOURNAL}")
    for stop in (asyncio.CancelledError, KeyboardInterrupt):
        with pytest.raises(stop), kept_until_judged(mine):
            raise stop
        assert mine.exists(), "the next pod goes on from it"
    with pytest.raises(ReplayError), kept_until_judged(mine):
        raise ReplayError("no lane can be reached")
    assert not mine.exists()


def test_what_deleted_jobs_left_goes_once_no_job_can_be_at_it(tmp_path: Path) -> None:
    mine = put(tmp_path, f"a{KEPT_JOURNAL}", age=OLD_SECONDS - 60)
    old = [put(tmp_path, f"b{KEPT_JOURNAL}{end}", age=OLD_SECONDS + 60) for end in ("", ".vectors")]
    users = [put(tmp_path, name, age=2 * OLD_SECONDS) for name in ("r.json.journal", "notes")]
    with kept_until_judged(mine):
        assert mine.exists()
        assert not any(path.exists() for path in old)
    assert sorted(tmp_path.iterdir()) == sorted(users)


def test_a_journal_that_no_pod_leaves_to_another_is_nobodys_to_remove(tmp_path: Path) -> None:
    mine = put(tmp_path, "r.json.journal")
    old = put(tmp_path, f"b{KEPT_JOURNAL}", age=2 * OLD_SECONDS)
    with kept_until_judged(mine):
        pass
    assert sorted(tmp_path.iterdir()) == sorted([mine, old])
