"""What a forked child must not go on with: the parent has the file and the port."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class _Forked(Protocol):
    def after_fork_in_child(self) -> None: ...


_known: weakref.WeakSet[_Forked] = weakref.WeakSet()


def call_after_fork(forked: _Forked) -> None:
    """Call its `after_fork_in_child` in every child forked from now on, for as long as it lives."""
    _known.add(forked)


def _after_fork_in_child() -> None:
    for forked in tuple(_known):
        forked.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
