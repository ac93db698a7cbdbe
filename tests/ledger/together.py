"""Work that begins at the same moment, in a thread each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence


def together(work: Sequence[Callable[[], object]]) -> list[Exception]:
    """Do all of it; what was raised."""
    start, raised = threading.Barrier(len(work)), list[Exception]()

    def one(do: Callable[[], object]) -> None:
        start.wait()
        try:
            do()
        except Exception as error:  # noqa: BLE001
            raised.append(error)

    threads = [threading.Thread(target=one, args=(do,)) for do in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised
