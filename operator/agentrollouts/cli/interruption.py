"""What ends a long run from outside, and leaves what it has done so far."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


def is_interrupted(work: Coroutine[Any, Any, None]) -> bool:
    """Run until the end or an interruption; True after one: Ctrl-C, or SIGTERM, as a CI system or a Job's deadline sends it.

    NB: the handlers are the loop's own. It would sleep on through one of ``signal.signal`` that is called just before it goes to sleep, and
    ``asyncio.run`` by itself leaves SIGINT ignored where a shell that isn't interactive has started the run in the background.
    """

    async def watched() -> None:
        this, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert this is not None
        for kind in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(kind, this.cancel)
        await work

    try:
        asyncio.run(watched())
    except asyncio.CancelledError:
        return True
    return False
