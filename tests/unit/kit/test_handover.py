from __future__ import annotations

import threading
import time
from collections import deque

import pytest

from agentrollouts_kit.handover import Handover

NEVER = 3600.0
"""Seconds of rest: whoever rests in these tests is woken or hangs."""


def ended(thread: threading.Thread) -> bool:
    thread.join(60)
    return not thread.is_alive()


def waiting(handover: Handover[int], found: list[bool]) -> threading.Thread:
    """A writer that waits once, and is asleep by now."""
    thread = threading.Thread(target=lambda: found.append(handover.wait()), daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not handover._asleep:
        assert time.monotonic() < deadline
    return thread


def test_what_is_put_comes_in_its_order_and_stays_until_it_is_done() -> None:
    handover: Handover[int] = Handover(5, rest_seconds=0.0)
    assert [handover.put(number) for number in range(7)] == [True] * 5 + [False] * 2
    assert handover.wait()
    assert (handover.oldest(3), len(handover)) == ([0, 1, 2], 5)
    handover.done(3)
    assert (handover.oldest(9), len(handover)) == ([3, 4], 2)
    assert handover.put(7)


def test_a_writer_that_sleeps_is_woken_and_then_rests_for_what_else_comes() -> None:
    handover: Handover[int] = Handover(100, rest_seconds=NEVER)
    found: list[bool] = []
    thread = waiting(handover, found)
    for number in range(50):
        handover.put(number)
    assert found == []
    handover.put(50)
    assert ended(thread)
    assert (found, handover.oldest(99)) == ([True], list(range(51)))


def test_what_is_put_just_before_the_writer_sleeps_is_seen() -> None:
    class Late(deque[int]):
        """Something is put right after the first look, by somebody who sees nobody asleep."""

        looked = False

        def __len__(self) -> int:
            found = super().__len__()
            if not self.looked:
                self.looked = True
                self.append(7)
            return found

    handover: Handover[int] = Handover(100, rest_seconds=0.0)
    handover._items = Late()
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(handover.wait()), daemon=True)
    thread.start()
    assert ended(thread)
    assert (found, handover.oldest(1)) == ([True], [7])


@pytest.mark.parametrize("end", [Handover.hurry, Handover.close])
def test_a_writer_that_rests_is_woken_at_the_end_and_rests_no_more(end: object) -> None:
    handover: Handover[int] = Handover(100, rest_seconds=NEVER)
    found: list[bool] = []
    thread = waiting(handover, found)
    handover.put(1)
    end(handover)  # type: ignore[operator]
    assert ended(thread)
    assert found == [True]
    assert handover.hurried
    assert handover.wait()


def test_a_writer_that_sleeps_ends_when_it_is_closed() -> None:
    handover: Handover[int] = Handover(100, rest_seconds=NEVER)
    found: list[bool] = []
    thread = waiting(handover, found)
    handover.close()
    assert ended(thread)
    assert found == [False]


def test_from_half_its_room_on_it_is_hurried() -> None:
    handover: Handover[int] = Handover(4, rest_seconds=NEVER)
    for number in range(2):
        handover.put(number)
    assert not handover.hurried
    handover.put(2)
    assert handover.hurried
    assert handover.wait()


def test_what_many_threads_put_all_arrives_and_once() -> None:
    handover: Handover[tuple[int, int]] = Handover(64, rest_seconds=0.0001)
    found: list[tuple[int, int]] = []

    def put(whose: int) -> None:
        for number in range(2_000):
            while not handover.put((whose, number)):
                time.sleep(0)

    def take() -> None:
        while handover.wait():
            batch = handover.oldest(10)
            found.extend(batch)
            handover.done(len(batch))

    taker = threading.Thread(target=take, daemon=True)
    taker.start()
    putters = [threading.Thread(target=put, args=(whose,)) for whose in range(4)]
    for thread in putters:
        thread.start()
    assert all(ended(thread) for thread in putters)
    handover.close()
    assert ended(taker)
    for whose in range(4):
        assert [number for one, number in found if one == whose] == list(range(2_000))
