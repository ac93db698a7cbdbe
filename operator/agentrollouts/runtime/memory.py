"""How often Python searches for garbage: seldom, because a search stops everything, and ticks leave next to none.

What a tick makes is freed as soon as it is no longer used. Only cycles need a search, and those come with exceptions and
connections, not with looks at evidence. With CPython's own thresholds (700 new objects) a fleet of 200 looked at every 2 s
spent a quarter of its time searching the same parsed answers again and again.
"""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 20, 20)
"""New objects until the youngest are searched, searches of the youngest until the middle ones are, and so on. The oldest are
searched when they have grown by a quarter besides, as always. 50,000 forgotten objects are about 10 MiB."""


def search_seldom() -> None:
    """From now on. A process calls it once, at its start."""
    gc.set_threshold(*THRESHOLDS)


def keep_for_good() -> None:
    """What there is now is no garbage and never searched again: the first picture of the cluster, the code and its tables."""
    gc.collect()
    gc.freeze()
