"""What ends a long run from outside, and leaves what it has done so far."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Both Ctrl-C and SIGTERM, as a CI system or a Job's deadline sends it, are a KeyboardInterrupt.

    NB: a shell that isn't interactive lets what it starts in the background ignore SIGINT, and Python leaves it at that.
    """
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT)),
    }
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
