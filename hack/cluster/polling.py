"""Waiting for a condition, with a deadline and a reason for when it does not come."""

import time
from collections.abc import Callable
from typing import TypeVar

from hack.cluster.errors import ClusterError

Found = TypeVar("Found")


def wait_for(
    what: str,
    probe: Callable[[], Found | None],
    *,
    seconds: float,
    hint: Callable[[], str] = str,
    every: float = 0.2,
) -> Found:
    """The first thing `probe` gives that is neither None nor False; raises after `seconds`, with the hint."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{what}: expected within {seconds:g} s, and it did not come. {hint()}".rstrip()
            )
        time.sleep(every)
