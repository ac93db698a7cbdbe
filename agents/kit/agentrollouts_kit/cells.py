"""A block of numbers that changes all or nothing, even when the process is killed in the middle of a change.

A change is first written to a redo log beside the block, then declared valid by one 8-byte store, then applied, then
declared applied. The block may live in a shared memory mapping of a file: what a killed process stored stays in the
page cache, so whoever opens the file next finds either a log that was never declared valid (nothing happened) or
one that was (apply it again: it holds final values, so twice is as good as once).

The sequence number is even at rest and odd while a log is being applied. Another process can thus read the block
while it changes: it copies, and tries again if the number moved.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Final

_SEQUENCE: Final = 0
_SCRAPED: Final = 1
_LOG_LENGTH: Final = 2
_LOG: Final = 3
LOG_CAPACITY: Final = 384
"""Cells one change may touch; a task that did everything with 64 tools, 16 scores and 32 topics touches fewer than 300."""
BLOCK: Final = _LOG + 2 * LOG_CAPACITY
"""Words before the first cell."""
_READ_ATTEMPTS: Final = 1000


class Cells:
    """The block as an array of floats; cell numbers count from the first cell after the log.

    `words` is a writable view of 8-byte floats, `BLOCK + size` long, zeroed when new. The block of another process
    (`foreign`) may only be read and marked as scraped.
    Not thread safe: the ledger holds its lock around every call but those about scraping.
    """

    def __init__(self, words: memoryview[float], *, foreign: bool = False) -> None:
        self.words = words
        self.view = words[BLOCK:]
        if not foreign:
            self.redo()

    @classmethod
    def in_memory(cls, size: int) -> Cells:
        """A block that ends with the process."""
        return cls(memoryview(bytearray(8 * (BLOCK + size))).cast("d"))

    @property
    def sequence(self) -> float:
        """Grows with every change; compare with `scraped`."""
        return self.words[_SEQUENCE]

    @property
    def scraped(self) -> float:
        """The sequence that the last complete scrape had seen; 0 when there was none."""
        return self.words[_SCRAPED]

    def mark_scraped(self, sequence: float) -> None:
        """Note that a scrape which saw this sequence was answered completely."""
        self.words[_SCRAPED] = max(sequence, self.words[_SCRAPED])

    def commit(self, changes: Mapping[int, float]) -> None:
        """Give these cells these values, all or nothing."""
        words, view = self.words, self.view
        self.redo()
        sequence = words[_SEQUENCE]
        log = array("d", [number for change in changes.items() for number in change])
        if len(log) > 2 * LOG_CAPACITY:
            raise ValueError(f"a change may touch {LOG_CAPACITY} cells, not {len(changes)}: split it")
        words[_LOG : _LOG + len(log)] = memoryview(log)
        words[_LOG_LENGTH] = len(log)
        words[_SEQUENCE] = sequence + 1
        for cell, value in changes.items():
            view[cell] = value
        words[_SEQUENCE] = sequence + 2

    def redo(self) -> None:
        """Finish a change that was declared valid but not applied to its end (kill, or an exception from a signal)."""
        if self.words[_SEQUENCE] % 2:
            _apply(self.words)
            self.words[_SEQUENCE] += 1

    def read(self, cells: int) -> tuple[Sequence[float], float]:
        """The first `cells` values and the sequence they belong to; safe while another process writes."""
        for _ in range(_READ_ATTEMPTS):
            before = self.words[_SEQUENCE]
            words = array("d", self.words[: BLOCK + cells].tobytes())
            if self.words[_SEQUENCE] == before:
                if before % 2:
                    _apply(words)
                return words[BLOCK:], before
        raise TimeoutError(
            f"a state block changed during each of {_READ_ATTEMPTS} attempts to read it: scrape again"
        )


def _apply(words: memoryview[float] | array[float]) -> None:
    """Carry out the log; a copy may be cut off behind the cells that its reader wants."""
    for entry in range(_LOG, _LOG + int(words[_LOG_LENGTH]), 2):
        word = BLOCK + int(words[entry])
        if word < len(words):
            words[word] = words[entry + 1]
