"""Chance without a generator: the same words always fall the same way, in every pod and after every restart."""

from __future__ import annotations

from hashlib import blake2b


def chance(*words: str) -> float:
    """A number in [0, 1) drawn from the words."""
    digest = blake2b("\x00".join(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
