"""Shadow requests on a real Envoy: to the stable version at any shares, without a session, and only where they are taken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.dataplane.conftest import arm, shares

STICKY = {"header": "x-user-id"}
TAKEN = pytest.mark.parametrize("shadows", [True])
USER = {"x_user_id": "bob", "x_agent_session": "bob", "cookie": "agent-session=bob"}


@pytest.fixture
def ready(router):
    async def start(arms: list[dict[str, Any]], **spec: Any) -> None:
        await router.pods("1.0.0")
        await router.pods("2.0.0")
        router.route(arms, sticky=STICKY, **spec)
        await router.settle()

    return start


@TAKEN
@pytest.mark.asyncio
@pytest.mark.parametrize("candidate", [0, 500, 5_000, 10_000])
async def test_a_shadow_reaches_the_stable_version_at_any_shares(router, ready, candidate):
    control = 500 if candidate < 10_000 else 0
    await ready(shares(candidate, control), offset=3_000)
    for number in range(40):
        answer = await router.get(x_user_id=f"user-{number}", x_agent_shadow="candidate")
        assert (await answer.json())["version"] == answer.headers["x-routed-version"] == "1.0.0"
        assert answer.headers.getall("x-agent-cohort") == ["stable"]
    assert router.agents[1].requests == 0


@TAKEN
@pytest.mark.asyncio
async def test_a_shadow_has_no_session_and_no_cohort_and_says_what_it_is(router, ready):
    await ready(shares(5_000), group="checkout")
    for headers in ({}, USER):
        stain = {"x_agent_stain": "checkout=candidate", "x_agent_session_end": "true"}
        answer = await router.get(x_agent_shadow="control", x_agent_cohort="candidate", **stain, **headers)
        sent = (await answer.json())["headers"]
        assert (sent["x-agent-shadow"], sent["x-agent-cohort"]) == ("control", "none")
        assert not {"x-agent-session", "x-agent-session-end", "x-agent-stain"} & sent.keys()
        assert not {"x-agent-session", "set-cookie"} & answer.headers.keys()


@TAKEN
@pytest.mark.asyncio
@pytest.mark.parametrize("value", ["", "nonsense", "stable"])
async def test_the_header_makes_a_shadow_whatever_it_says(router, ready, value):
    await ready(shares(10_000, 0))
    answer = await router.get(x_agent_shadow=value, **USER)
    assert answer.headers["x-routed-version"] == "1.0.0"
    assert "x-agent-session" not in (await answer.json())["headers"]


@TAKEN
@pytest.mark.asyncio
async def test_shadows_spread_over_the_pods_of_the_stable_version(router):
    pods = await router.pods("1.0.0", 3)
    router.route(shares(0), sticky=STICKY)
    await router.settle()
    for _ in range(60):
        await router.get(x_agent_shadow="candidate", **USER)
    assert all(pod.requests for pod in pods)


@TAKEN
@pytest.mark.asyncio
async def test_a_caller_without_the_header_is_where_it_would_be_anyway(router, ready):
    await ready(shares(5_000))
    users = [f"user-{number}" for number in range(200)]
    with_shadows = await router.sides(users)
    plain = await router.get()
    assert (await plain.json())["headers"]["x-agent-session"] == plain.headers["x-agent-session"]
    assert "set-cookie" in plain.headers
    router.route(shares(5_000), sticky=STICKY, epoch=2)
    await asyncio.gather(*(router.get(x_agent_shadow="candidate", x_user_id=user) for user in users[:20]))
    assert await router.sides(users) == with_shadows
    assert {side[1] for side in with_shadows.values()} == {"candidate", "stable", "control"}


@TAKEN
@pytest.mark.asyncio
async def test_without_a_stable_pod_a_shadow_fails_and_nobody_stands_in(router, ready):
    await ready(shares(5_000))
    router.endpoints("1.0.0", [])
    await router.settle()
    seen = router.agents[1].requests
    answer = await router.get(x_agent_shadow="candidate", **USER)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.headers["x-routed-version"] == answer.headers["x-agent-cohort"] == "none"
    assert not {"x-agent-session", "set-cookie"} & answer.headers.keys()
    router.route([arm("candidate", "2.0.0", 10_000)], sticky=STICKY)
    await router.settle()
    assert (await router.get(x_agent_shadow="candidate", **USER)).status == 503
    assert router.agents[1].requests == seen


@pytest.mark.asyncio
async def test_a_router_that_takes_no_shadows_refuses_them_and_asks_no_agent(router, ready):
    await ready(shares(5_000))
    for value in ("candidate", ""):
        answer = await router.get(x_agent_shadow=value, **USER)
        assert answer.status == 501
        assert answer.headers["x-routed-version"] == answer.headers["x-agent-cohort"] == "none"
        assert "router.shadows" in (await answer.json())["error"]
        assert "retry-after" not in answer.headers
    assert [agent.requests for agent in router.agents] == [0, 0]
    assert (await router.get(**USER)).status == 200
