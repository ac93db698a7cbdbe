"""Which tasks are held out: those that whoever improves an agent never gets to see, so that it can be tested on them."""

from __future__ import annotations

import hashlib

_FINEST = 10_000


def held_out(task: str, share: int) -> bool:
    """Whether the task with this id is held out; ``share`` in basis points.

    It goes by a hash of the id: the same answer for ever, and a larger share keeps what a smaller one held out.
    """
    digest = hashlib.blake2b(task.encode(), digest_size=8, person=b"holdout").digest()
    return int.from_bytes(digest) % _FINEST < share
