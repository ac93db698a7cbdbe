"""Session keys as the ledger knows them."""

from __future__ import annotations

import hashlib


def key_digest(key: str) -> tuple[int, int]:
    """A session key as two integers that a float holds exactly; 104 bits, so that no key is kept in the clear."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8]) >> 12, int.from_bytes(digest[8:]) >> 12
