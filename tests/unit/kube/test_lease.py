"""The lease on a clock of our own: when it may be taken, and when its holder must stop believing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentrollouts.kube.connection import Lane, Request
from agentrollouts.kube.lease import Lease, LeaseTimes, fresh_epoch
from agentrollouts.ports import ConflictError, GoneError, TerminalError, TransientError

START = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass
class World:
    """One Lease object with resource versions, and one clock that moves only while somebody sleeps."""

    seconds: float = 0.0
    stored: dict[str, Any] | None = None
    version: int = 0
    failing: Exception | None = None
    deaf: bool = False
    """Sleeping candidates are not woken in time: the clock jumps."""
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        if len(self.slept) > 200:
            raise AssertionError("slept 200 times in vain")

    async def send(self, request: Request, *, lane: Lane = "ordinary") -> Mapping[str, Any]:
        if self.failing:
            raise self.failing
        if request.method == "GET":
            if self.stored is None:
                raise GoneError("no lease")
            return json.loads(json.dumps(self.stored))  # type: ignore[no-any-return]
        if request.method == "POST" and self.stored is not None:
            raise ConflictError("exists")
        if request.method == "PUT" and self.stored is None:
            raise GoneError("no lease")
        if request.method == "PUT" and request.body["metadata"]["resourceVersion"] != str(self.version):
            raise ConflictError("changed")
        self.version += 1
        self.stored = json.loads(json.dumps(request.body))
        self.stored["metadata"]["resourceVersion"] = str(self.version)
        return json.loads(json.dumps(self.stored))  # type: ignore[no-any-return]

    async def find(self, request: Request) -> Mapping[str, Any] | None:
        try:
            return await self.send(request)
        except GoneError:
            return None

    def candidate(self, identity: str) -> Lease:
        return Lease(
            self,
            namespace="agent-rollouts",
            name="operator",
            identity=identity,
            now=self.now,
            monotonic=self.monotonic,
            sleep=self.sleep,
        )


@pytest.mark.asyncio
async def test_a_dead_holders_lease_is_taken_exactly_when_its_duration_is_over() -> None:
    world = World()
    epoch = await world.candidate("a").acquire()
    began = world.seconds
    assert await world.candidate("b").acquire() == epoch + 1
    assert 15.0 <= world.seconds - began < 15.0 + 2.0


@pytest.mark.asyncio
async def test_the_holder_stops_believing_before_others_may_start() -> None:
    world = World()
    lease = world.candidate("a")
    await lease.acquire()
    world.seconds = 9.9
    assert lease.held
    world.seconds = 10.0
    assert not lease.held


@pytest.mark.asyncio
async def test_a_renewing_holder_is_never_displaced_and_one_that_cannot_renew_says_so() -> None:
    world = World()
    lease = world.candidate("a")
    await lease.acquire()
    for _ in range(20):
        world.seconds += 2
        assert await lease._renew() == ""
        assert not await world.candidate("b")._try_to_acquire()
    world.failing = TransientError("503")
    reasons: list[str] = []
    began = world.seconds
    await lease.hold(reasons.append)
    assert world.seconds - began <= 10.0
    assert "503" in reasons[0] and not lease.held


@pytest.mark.asyncio
async def test_a_short_outage_is_survived() -> None:
    world = World()
    lease = world.candidate("a")
    await lease.acquire()
    world.failing = TransientError("503")
    world.seconds = 6
    assert await lease._renew() == ""
    world.failing = None
    world.seconds = 8
    assert await lease._renew() == ""
    world.seconds = 17
    assert lease.held


@pytest.mark.asyncio
@pytest.mark.parametrize("refusal", [GoneError("deleted"), TerminalError("forbidden")])
async def test_a_refused_renewal_is_a_loss_at_once(refusal: Exception) -> None:
    world = World()
    lease = world.candidate("a")
    await lease.acquire()
    world.failing = refusal
    reasons: list[str] = []
    await lease.hold(reasons.append)
    assert reasons == [str(refusal)] and len(world.slept) == 1


@pytest.mark.asyncio
async def test_an_outage_while_waiting_is_waited_out() -> None:
    world = World(failing=TransientError("503"))
    lease = world.candidate("a")
    sleep = world.sleep

    async def heal(seconds: float) -> None:
        await sleep(seconds)
        world.failing = None

    lease._sleep = heal
    assert await lease.acquire() == fresh_epoch(START + timedelta(seconds=2))


@pytest.mark.asyncio
async def test_a_refusal_while_waiting_is_for_a_person() -> None:
    world = World(failing=TerminalError("leases are forbidden"))
    with pytest.raises(TerminalError, match="leases are forbidden"):
        await world.candidate("a").acquire()


@pytest.mark.asyncio
async def test_epochs_rise_over_releases_and_over_a_deleted_lease() -> None:
    world = World()
    epochs = []
    for identity in ("a", "b", "a"):
        lease = world.candidate(identity)
        epochs.append(await lease.acquire())
        await lease.release()
        world.seconds += 60
    world.stored = None
    epochs.append(await world.candidate("a").acquire())
    assert epochs == sorted(set(epochs))


@pytest.mark.asyncio
async def test_a_failed_release_only_costs_the_others_time() -> None:
    world = World()
    lease = world.candidate("a")
    await lease.acquire()
    world.failing = TransientError("503")
    await lease.release()
    assert not lease.held


def test_times_that_allow_two_leaders_are_refused() -> None:
    with pytest.raises(ValueError, match="retry < deadline < duration"):
        LeaseTimes(duration=10, deadline=10.0)


def test_a_fresh_epoch_fits_32_bits() -> None:
    assert 0 < fresh_epoch(START) < fresh_epoch(datetime(2090, 1, 1, tzinfo=UTC)) < 2**31
