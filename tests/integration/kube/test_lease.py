"""The lease between real candidates on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from agentrollouts.kube.connection import Connection, Request
from agentrollouts.kube.lease import Lease, LeaseTimes
from hack.apiserver import ApiServer

TIMES = LeaseTimes(duration=2, deadline=1.5, retry=0.2)
DEADLINE = 20.0


@pytest_asyncio.fixture
async def connection(apiserver: ApiServer) -> AsyncIterator[Connection]:
    opened = await Connection.open(Path(apiserver.kubeconfig))
    yield opened
    await opened.close()


@pytest.fixture
def candidate(connection: Connection, namespace: str) -> Callable[[str], Lease]:
    return lambda name: Lease(connection, namespace=namespace, name="operator", identity=name, times=TIMES)


async def spec_of(connection: Connection, namespace: str) -> dict[str, object]:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/operator"
    return dict((await connection.send(Request("GET", path)))["spec"])


@pytest.mark.asyncio
async def test_one_of_two_gets_it_and_the_other_takes_over_when_the_first_dies(
    candidate: Callable[[str], Lease],
) -> None:
    first, second = candidate("a"), candidate("b")
    epoch = await first.acquire()
    holding = asyncio.create_task(first.hold(lambda reason: None))
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(TIMES.duration + 2 * TIMES.retry)
    assert first.held and not waiting.done()
    holding.cancel()  # as a killed process: it neither renews nor releases
    async with asyncio.timeout(DEADLINE):
        assert await waiting == epoch + 1
    assert second.held and not first.held


@pytest.mark.asyncio
async def test_a_release_lets_the_other_in_at_once(
    candidate: Callable[[str], Lease], connection: Connection, namespace: str
) -> None:
    first, second = candidate("a"), candidate("b")
    epoch = await first.acquire()
    await first.release()
    assert not first.held
    assert (await spec_of(connection, namespace))["holderIdentity"] == ""
    async with asyncio.timeout(TIMES.retry):
        assert await second.acquire() == epoch + 1
    await first.release()
    assert (await spec_of(connection, namespace))["holderIdentity"] == "b"


@pytest.mark.asyncio
async def test_a_paused_leader_notices_that_it_lost(candidate: Callable[[str], Lease]) -> None:
    first, second = candidate("a"), candidate("b")
    await first.acquire()
    async with asyncio.timeout(DEADLINE):
        await second.acquire()  # the first never renewed: it slept
        assert not first.held
        reasons: list[str] = []
        await first.hold(reasons.append)
    assert len(reasons) == 1 and "not renewed for" in reasons[0]
    await first.release()
    assert second.held


@pytest.mark.asyncio
async def test_a_leader_survives_somebody_touching_its_lease(
    candidate: Callable[[str], Lease], connection: Connection, namespace: str
) -> None:
    first = candidate("a")
    await first.acquire()
    reasons: list[str] = []
    holding = asyncio.create_task(first.hold(reasons.append))
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/operator"
    before = (await spec_of(connection, namespace))["renewTime"]
    body = {"metadata": {"annotations": {"touched": "yes"}}}
    await connection.send(Request("PATCH", path, body, "application/merge-patch+json"))
    async with asyncio.timeout(DEADLINE):
        while (await spec_of(connection, namespace))["renewTime"] == before:  # noqa: ASYNC110 -- the server has no event
            await asyncio.sleep(0.05)
    assert first.held and not reasons
    holding.cancel()


@pytest.mark.asyncio
async def test_a_deleted_lease_is_lost_and_the_next_epoch_is_still_larger(
    candidate: Callable[[str], Lease], connection: Connection, namespace: str
) -> None:
    first = candidate("a")
    epoch = await first.acquire()
    await connection.send(
        Request("DELETE", f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/operator")
    )
    reasons: list[str] = []
    async with asyncio.timeout(DEADLINE):
        await first.hold(reasons.append)
    assert reasons and not first.held and first.epoch == 0
    async with asyncio.timeout(DEADLINE):
        assert await candidate("b").acquire() >= epoch
