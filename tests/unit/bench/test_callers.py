from __future__ import annotations

import asyncio
from random import Random

import pytest

from bench.callers import asked, difference, moments


def rounds_of(*, more: float = 0.0, seed: int = 0) -> list[list[float]]:
    chance = Random(seed)
    return [[20.0 + chance.random() + more for _ in range(50)] for _ in range(20)]


def test_the_same_answers_differ_by_nothing():
    assert difference(rounds_of(), rounds_of(), 0.99) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_what_is_added_to_every_answer_is_the_difference(share):
    seen, low, high = difference(rounds_of(), rounds_of(more=1.5), share)
    assert (seen, low, high) == pytest.approx((1.5, 1.5, 1.5))
    assert difference(rounds_of(more=1.5), rounds_of(), share)[0] == pytest.approx(-1.5)


def test_what_happens_in_a_few_rounds_may_be_chance_and_the_interval_says_so():
    slow = rounds_of(seed=1)
    for number in range(3):
        slow[number] = [value + 10.0 for value in slow[number]]
    seen, low, high = difference(rounds_of(), slow, 0.99)
    assert low < 0.5
    assert 9.0 < seen <= high
    _, low, high = difference(rounds_of(), rounds_of(seed=2), 0.5)
    assert low < 0.0 < high


def test_requests_come_at_the_rate_and_independently():
    found = moments(Random(1), requests=10_000, rate=100.0)
    gaps = [later - earlier for earlier, later in zip([0.0, *found], found, strict=False)]
    assert found == sorted(found)
    assert sum(gaps) / len(gaps) == pytest.approx(0.01, rel=0.05)
    assert sum(gap > 0.01 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)


def test_every_request_is_answered_and_timed_though_others_still_wait():
    async def scene():
        seen, together = [], asyncio.Event()

        async def answer(reader, writer):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                seen.append(await reader.readexactly(length))
                if len(seen) == 5:
                    together.set()
                await together.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        took = await asked(server.sockets[0].getsockname()[1], [0.0] * 5)
        server.close()
        return seen, took

    seen, took = asyncio.run(scene())
    assert sorted(seen) == [b'{"order": "A-%d", "text": "Where is it?"}' % number for number in range(5)]
    assert len(took) == 5 and min(took) > 0
