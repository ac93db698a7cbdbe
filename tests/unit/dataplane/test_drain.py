"""The preStop hook, on a clock and an Envoy of the test's own."""

from __future__ import annotations

import pytest

from agentrollouts.dataplane.drain import drain


class Scripted:
    """An Envoy with so many requests at each question; None: it doesn't answer any more."""

    def __init__(self, *active: int | None, answers: bool = True) -> None:
        self.active = list(active)
        self.answers = answers
        self.asked = 0

    async def start_draining(self) -> bool:
        return self.answers

    async def active_requests(self) -> int | None:
        self.asked += 1
        return self.active.pop(0) if len(self.active) > 1 else self.active[0]


def clock(step: float):
    ticks = iter(range(10_000))
    return lambda: next(ticks) * step


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("envoy", "finished", "asked"),
    [
        (Scripted(3, 2, 0), True, 5),  # nothing under way after 3 s, but it lingers to the 5th
        (Scripted(1), False, 25),  # the deadline
        (Scripted(1, None), True, 2),  # Envoy is gone
        (Scripted(0, answers=False), True, 0),
    ],
)
async def test_it_waits_as_long_as_needed_and_no_longer(envoy, finished, asked):
    assert await drain(envoy, deadline=25, clock=clock(1.0), poll=0) is finished
    assert envoy.asked == asked
