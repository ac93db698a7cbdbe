"""A change happens entirely or not at all, at whichever store the process dies."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts_kit.cells import BLOCK, LOG_CAPACITY, Cells

SIZE = 6
FIRST = {0: 1.0, 3: 2.5, 5: 7.0}
SECOND = {0: 2.0, 1: 1.0, 5: 8.0}


class KilledError(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


class DyingWords:
    """A view whose owner dies before its n-th store; slices share the count."""

    def __init__(self, words: memoryview[float], stores_left: list[int]) -> None:
        self.words = words
        self.stores_left = stores_left

    def __setitem__(self, place: Any, value: Any) -> None:
        if isinstance(place, slice):
            for offset, number in enumerate(memoryview(value)):
                self[place.start + offset] = number
            return
        if not self.stores_left[0]:
            raise KilledError
        self.stores_left[0] -= 1
        self.words[place] = value

    def __getitem__(self, place: Any) -> Any:
        found = self.words[place]
        return DyingWords(found, self.stores_left) if isinstance(found, memoryview) else found

    def __len__(self) -> int:
        return len(self.words)


def words() -> memoryview[float]:
    return memoryview(bytearray(8 * (BLOCK + SIZE))).cast("d")


def test_every_possible_death_leaves_all_or_nothing() -> None:
    outcomes = []
    for stores in range(100):
        block = words()
        Cells(block).commit(FIRST)
        before = Cells(block).view.tolist()
        dying: Any = DyingWords(block, [stores])
        try:
            Cells(dying).commit(SECOND)
        except KilledError:
            outcomes.append(Cells(block).view.tolist() != before)
            after = Cells(block).view.tolist()
            assert after in (before, [2.0, 1.0, 0.0, 2.5, 0.0, 8.0])
            continue
        break
    assert outcomes == sorted(outcomes), "a change that was once valid was lost by dying later"
    assert outcomes[0] is False and outcomes[-1] is True


def test_a_reader_of_a_half_applied_block_sees_the_finished_change() -> None:
    block = words()
    Cells(block).commit(FIRST)
    dying: Any = DyingWords(block, [9])
    with pytest.raises(KilledError):
        Cells(dying).commit(SECOND)
    values, _ = Cells(block, foreign=True).read(SIZE)
    assert list(values) == [2.0, 1.0, 0.0, 2.5, 0.0, 8.0]
    assert block[0] % 2 == 1, "reading another's block repairs nothing in it"


def test_a_reader_wanting_fewer_cells_than_the_log_names() -> None:
    block = words()
    dying: Any = DyingWords(block, [9])
    with pytest.raises(KilledError):
        Cells(dying).commit(SECOND)
    values, _ = Cells(block, foreign=True).read(2)
    assert list(values) == [2.0, 1.0]


def test_an_exception_in_the_middle_of_a_change_is_made_good_by_the_next() -> None:
    block = words()
    dying: Any = DyingWords(block, [9])
    with pytest.raises(KilledError):
        Cells(dying).commit(SECOND)
    cells = Cells(block, foreign=True)
    cells.commit({2: 4.0})
    assert cells.view.tolist() == [2.0, 1.0, 4.0, 0.0, 0.0, 8.0]


def test_scraped_never_goes_back() -> None:
    cells = Cells(words())
    cells.commit(FIRST)
    late = cells.sequence
    cells.commit(SECOND)
    cells.mark_scraped(cells.sequence)
    cells.mark_scraped(late)
    assert cells.scraped == cells.sequence


def test_too_large_a_change_is_refused_before_it_touches_anything() -> None:
    cells = Cells.in_memory(LOG_CAPACITY + 1)
    with pytest.raises(ValueError, match="split it"):
        cells.commit(dict.fromkeys(range(LOG_CAPACITY + 1), 1.0))
    assert not any(cells.view.tolist())
