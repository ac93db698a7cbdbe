"""Whether a model is pinned: whether the same words will mean the same model tomorrow.

Providers have two kinds of names. One is a pointer, which they move to newer weights; the other has a date, a number or a
revision and stays. Nothing in an answer tells which one was asked for, so the words have to.
"""

from __future__ import annotations

import re

MOVING = (
    "latest",
    "stable",
    "preview",
    "exp",
    "experimental",
    "default",
    "current",
    "main",
    "master",
    "head",
    "newest",
)
"""Words that providers and hubs move to newer weights."""
_MOVING = re.compile(rf"(^|[-_.:/@])({'|'.join(MOVING)})$", re.IGNORECASE)
_LATEST = re.compile(r"[-_.:/@]latest$", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
WRITE = "write the dated or numbered version that the provider lists, such as 2026-05-01, 002 or a revision's hash"


def unpinned(name: str, snapshot: str) -> str | None:
    """Why the two don't name one model for good; None where they do."""
    # NB: a name may end in `preview`: with a date after it, it is one model.
    if found := _LATEST.search(name):
        return f"the name {name!r} is an alias that moves: give the name without {found[0]!r}, and {WRITE}"
    if not snapshot:
        return f"expected a snapshot; {name!r} alone may be another model tomorrow: {WRITE}"
    if _MOVING.search(snapshot):
        return f"the snapshot {snapshot!r} is an alias that moves: {WRITE}"
    if snapshot == name:
        return f"the snapshot {snapshot!r} only repeats the name: {WRITE}"
    if not _DIGIT.search(snapshot):
        return f"expected a snapshot with a date, a number or a hash in it; got {snapshot!r}: {WRITE}"
    return None
