"""The router outlives its parts: sidecar, Envoy, API server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentrollouts.dataplane.app import Sidecar
from agentrollouts.dataplane.folder import load
from agentrollouts.dataplane.watch import Listing, SourceError

STICKY = {"header": "x-user-id"}


def three(candidate: int) -> list[dict[str, Any]]:
    return [
        {"cohort": "candidate", "version": "2.0.0", "service": "support-2-0-0", "share": candidate},
        {"cohort": "stable", "version": "1.0.0", "service": "support-1-0-0", "share": 10_000 - candidate},
    ]


class Unreachable:
    """A source whose server doesn't answer until told so; counts how often it was asked."""

    def __init__(self, resource: str, answers: Listing | None = None) -> None:
        self.resource = resource
        self.namespace = ""
        self.asked = 0
        self.answers = answers

    async def list_all(self) -> Listing:
        self.asked += 1
        if self.answers is None:
            raise SourceError("connection refused")
        return self.answers

    async def watch(self, version: str):
        raise SourceError("connection refused")
        yield


async def asked(source: Unreachable, times: int) -> None:
    while source.asked < times:  # noqa: ASYNC110  a condition of another process or task
        await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_a_new_sidecar_writes_nothing_until_both_lists_are_complete(router):
    await router.pods("1.0.0")
    router.route(three(0), sticky=STICKY)
    await router.settle()
    before = load(router.settings.folder)
    routes = Unreachable("agentroutes", Listing((), "1"))
    slices = Unreachable("endpointslices")
    late = Sidecar([(routes, slices)], router.envoy, router.settings)
    work = asyncio.create_task(late.run())
    await asyncio.wait_for(asked(slices, 3), 10)
    assert load(router.settings.folder) == before
    assert "lists" in await late.ready()
    assert not await late.healthy()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


@pytest.mark.asyncio
async def test_a_restarted_sidecar_changes_nothing_when_nothing_has_changed(router, tmp_path):
    await router.pods("1.0.0")
    await router.pods("2.0.0")
    router.route(three(3_000), sticky=STICKY)
    await router.settle()
    folder = router.settings.folder
    times = {path.name: path.stat().st_mtime_ns for path in folder.glob("*ds*.json")}
    again = Sidecar([(router.routes, router.slices)], router.envoy, router.settings)
    work = asyncio.create_task(again.run())
    while await again.ready():  # noqa: ASYNC110  a condition of another process or task
        await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*ds*.json")} == times


@pytest.mark.asyncio
async def test_a_restarted_envoy_serves_the_last_good_files_without_its_sidecar(router, restart_envoy):
    await router.pods("1.0.0")
    await router.pods("2.0.0")
    router.route(three(3_000), sticky=STICKY)
    await router.settle()
    users = [f"u{number}" for number in range(50)]
    before = await router.sides(users)
    await restart_envoy(router)
    assert await router.sides(users) == before


@pytest.mark.asyncio
async def test_a_route_that_goes_takes_its_port_along(router):
    await router.pods("1.0.0")
    obj = router.route(three(0), sticky=STICKY)
    other = router.route(three(0), name="other", sticky=STICKY)
    await router.settle()
    router.routes.drop(other)
    port = router.ports.pop("other")
    await router.settle()

    async def closed() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return True
        writer.close()
        return False

    while not await closed():  # noqa: ASYNC110  a condition of another process or task
        await asyncio.sleep(0.05)
    assert (await router.get(x_user_id="bob")).status == 200
    assert obj["spec"]["port"] == router.ports["support"]
