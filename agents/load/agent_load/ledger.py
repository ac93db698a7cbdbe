"""The ledger: every request of a run, in columns, so that a million of them fit into about 80 MB."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, Final

from agent_load.row import FIELDS, Row

_TIMES: Final = ("sent", "routed", "first_byte", "done")
_NUMBERS: Final = ("user", "session", "status")
_FLAGS: Final = ("ends_session",)
_WORDS: Final = tuple(name for name in FIELDS if name not in (*_TIMES, *_NUMBERS, *_FLAGS))
_MAX_WORDS: Final = 60_000


class LedgerFullError(RuntimeError):
    """The ledger has as many rows as it may have."""


class Ledger:
    """Append-only. Rows are in the order in which the requests ended.

    Words (versions, labels, error classes) are kept once each; they are few, and the ledger refuses more than 60,000.
    """

    def __init__(self, capacity: int = 1_000_000) -> None:
        self.capacity = capacity
        self._columns: dict[str, array[Any]] = {
            **{name: array("d") for name in _TIMES},
            **{name: array("I") for name in _NUMBERS},
            **{name: array("B") for name in _FLAGS},
            **{name: array("H") for name in _WORDS},
        }
        self._words: list[str] = []
        self._index: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._columns["sent"])

    def append(self, row: Row) -> None:
        """Write a request down. Raises LedgerFullError rather than forget one."""
        if len(self) >= self.capacity:
            raise LedgerFullError(
                f"the ledger holds {self.capacity} requests: raise max_requests or stop earlier"
            )
        words = [self._intern(getattr(row, name)) for name in _WORDS]
        for name, word in zip(_WORDS, words, strict=True):
            self._columns[name].append(word)
        for name in (*_TIMES, *_NUMBERS, *_FLAGS):
            self._columns[name].append(getattr(row, name))

    def row(self, number: int) -> Row:
        """The row of that number, from 0."""
        values: dict[str, Any] = {name: column[number] for name, column in self._columns.items()}
        for name in _WORDS:
            values[name] = self._words[values[name]]
        values["ends_session"] = bool(values["ends_session"])
        return Row(**values)

    def rows(self, start: int = 0, end: int | None = None) -> Iterator[Row]:
        """The rows from `start` up to, not including, `end`; those that exist when asked."""
        for number in range(start, min(len(self), len(self) if end is None else end)):
            yield self.row(number)

    def _intern(self, word: str) -> int:
        index = self._index.get(word)
        if index is None:
            if len(self._words) >= _MAX_WORDS:
                raise LedgerFullError(
                    f"more than {_MAX_WORDS} different words: something sends labels without end"
                )
            index = self._index[word] = len(self._words)
            self._words.append(word)
        return index
