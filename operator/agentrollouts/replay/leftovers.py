"""What becomes of a journal that one pod of a Job leaves to the next, once the Job has come to a verdict, or nobody waits for one any more.

It holds what users asked, so it stays no longer than it is of use. A Job that was deleted, or ran out of time or tries, can't remove its own:
whichever replay of the same claim comes later does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentrollouts.api.before_traffic import LONGEST
from agentrollouts.core.replay_job import KEPT_JOURNAL
from agentrollouts.replay.journal import vectors_beside

OLD_SECONDS = 2 * LONGEST.total_seconds()
"""No Job takes half as long, and one that is under way writes to its journal again and again."""


@contextmanager
def kept_until_judged(journal: Path) -> Iterator[None]:
    """Remove the journal at the end of the block, also where nobody can say; one that was told to stop leaves it to the next pod.

    Only a Job's journal is removed, and only such as are old beside it.
    """
    if not journal.name.endswith(KEPT_JOURNAL):
        yield
        return
    _remove_old(journal.parent)
    try:
        yield
    except Exception:
        _remove(journal)
        raise
    _remove(journal)


def _remove_old(folder: Path) -> None:
    for journal in folder.glob(f"*{KEPT_JOURNAL}"):
        with suppress(OSError):
            if journal.stat().st_mtime < time.time() - OLD_SECONDS:
                _remove(journal)


def _remove(journal: Path) -> None:
    """NB: the embeddings first, for whoever looks for what is left finds them by the journal."""
    for path in (vectors_beside(journal), journal):
        with suppress(OSError):
            path.unlink(missing_ok=True)
