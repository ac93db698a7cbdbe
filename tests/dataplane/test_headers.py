"""What the agent is told, what the caller is told, and what a caller can't pretend."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

STICKY = {"header": "x-user-id"}


def three(candidate: int) -> list[dict[str, Any]]:
    return [
        {"cohort": "candidate", "version": "2.0.0", "service": "support-2-0-0", "share": candidate},
        {"cohort": "stable", "version": "1.0.0", "service": "support-1-0-0", "share": 9_500 - candidate},
        {"cohort": "control", "version": "1.0.0", "service": "support-1-0-0", "share": 500},
    ]


@pytest.fixture
def ready(router):
    async def start(candidate: int = 5_000, **spec: Any) -> None:
        await router.pods("1.0.0")
        await router.pods("2.0.0")
        router.route(three(candidate), **spec)
        await router.settle()

    return start


@pytest.mark.asyncio
async def test_a_minted_key_decides_the_first_request_and_all_after(router, ready):
    await ready()
    keys = set()
    for _ in range(40):
        first = await router.get()
        key = first.headers["x-agent-session"]
        cookie = first.headers["set-cookie"]
        assert cookie == f"agent-session={key}; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"
        assert (await first.json())["headers"]["x-agent-session"] == key
        for again in (
            await router.get(cookie=f"theme=dark; agent-session={key}"),
            await router.get(x_agent_session=key),
        ):
            assert again.headers["x-agent-cohort"] == first.headers["x-agent-cohort"]
            assert (await again.json())["headers"]["x-agent-session"] == key
            assert "set-cookie" not in again.headers
            assert "x-agent-session" not in again.headers
        keys.add(key)
    assert len(keys) == 40


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("sticky", "headers", "key"),
    [
        ({"header": "X-User-Id"}, {"x_user_id": "bob", "x_agent_session": "other"}, "bob"),
        ({"cookie": "uid"}, {"cookie": "a=1; uid=eve ; b=2"}, "eve"),
        ({"cookie": "uid"}, {"cookie": "agent-session=kept"}, "kept"),
        ({"header": "x-user-id"}, {"x_user_id": "", "x_agent_session": "kept"}, "kept"),
        ({}, {"x_agent_session": "mine", "cookie": "agent-session=old"}, "mine"),
    ],
)
async def test_where_the_key_comes_from(router, ready, sticky, headers, key):
    await ready(sticky=sticky)
    response = await router.get(**headers)
    assert (await response.json())["headers"]["x-agent-session"] == key
    assert "set-cookie" not in response.headers


@pytest.mark.asyncio
async def test_a_browser_session_cookie_where_no_time_is_given(router, ready):
    await ready(cookieTtlSeconds=0)
    cookie = (await router.get()).headers["set-cookie"]
    assert "Max-Age" not in cookie
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")


@pytest.mark.asyncio
async def test_the_router_overwrites_what_a_caller_pretends(router, ready):
    await ready(candidate=0, sticky=STICKY)
    response = await router.get(
        x_user_id="bob",
        x_agent_cohort="candidate",
        x_agent_version="2.0.0",
        x_agent_route="shop/other",
        x_agent_minted="mine",
        x_agent_stain_cohort="candidate",
        x_agent_stain_others=",a=b",
        x_envoy_upstream_alt_stat_name="x",
        x_forwarded_for="10.0.0.7",
    )
    sent = (await response.json())["headers"]
    assert response.headers["x-agent-cohort"] in ("stable", "control")
    assert response.headers.getall("x-agent-cohort") == [sent["x-agent-cohort"]]
    assert response.headers.getall("x-routed-version") == ["1.0.0"]
    assert sent["x-agent-version"] == "1.0.0"
    assert sent["x-forwarded-for"].startswith("10.0.0.7,")
    internal = {"x-agent-route", "x-agent-minted", "x-agent-stain-cohort", "x-agent-stain-others"}
    assert "x-agent-stain" not in sent
    assert not internal & sent.keys()
    assert not [name for name in sent if name.startswith("x-envoy")]


@pytest.mark.asyncio
async def test_errors_of_the_router_say_who_would_have_answered(router, ready):
    await ready(sticky=STICKY, timeoutSeconds=1)
    late = await router.get("/wait", x_user_id="bob")
    assert late.status == 504
    assert late.headers["x-agent-cohort"] in ("candidate", "stable", "control")
    assert late.headers["x-routed-version"] in ("1.0.0", "2.0.0")

    reader, writer = await asyncio.open_connection("127.0.0.1", router.ports["support"])
    writer.write(b"OPTIONS * HTTP/1.1\r\nhost: support\r\nconnection: close\r\n\r\n")
    unknown = (await reader.read()).decode().lower()
    writer.close()
    assert unknown.startswith("http/1.1 404")
    assert "x-agent-cohort: none" in unknown
    assert "x-routed-version: none" in unknown

    router.endpoints("1.0.0", [])
    router.endpoints("2.0.0", [])
    await router.settle()
    nobody = await router.get()
    assert nobody.status == 503
    assert nobody.headers["x-agent-cohort"] == nobody.headers["x-routed-version"] == "none"
    assert nobody.headers["retry-after"] == "1"
    assert "set-cookie" in nobody.headers
    assert "no version of this agent is ready" in (await nobody.json())["error"]


@pytest.mark.asyncio
async def test_a_dead_pod_behind_a_ready_endpoint_is_a_503_with_headers(router, ready):
    await ready(candidate=9_500, sticky=STICKY)
    await router.agents[1].stop()
    answers = [await router.get(x_user_id=f"u{number}") for number in range(20)]
    failed = [answer for answer in answers if answer.status == 503]
    assert failed
    assert all(answer.headers["x-routed-version"] == "2.0.0" for answer in failed)
    assert all(answer.headers["x-agent-cohort"] == "candidate" for answer in failed)


async def cohorts(router, count: int = 40, **headers: str) -> set[str]:
    answers = [await router.get(x_user_id=f"u{number}", **headers) for number in range(count)]
    return {answer.headers["x-agent-cohort"] for answer in answers}


@pytest.mark.asyncio
async def test_a_stain_is_honoured_in_its_group_only_and_only_while_the_arm_takes_traffic(router, ready):
    await ready(candidate=500, sticky=STICKY, group="checkout")
    assert await cohorts(router, x_agent_stain="checkout=candidate") == {"candidate"}
    assert await cohorts(router, x_agent_stain="other=candidate, checkout=control") == {"control"}
    assert "stable" in await cohorts(router, x_agent_stain="other=candidate")
    assert "stable" in await cohorts(router, x_agent_stain="checkout=nonsense")
    assert "stable" in await cohorts(router, x_agent_stain_cohort="candidate")
    router.endpoints("2.0.0", [])
    await router.settle()
    assert "candidate" not in await cohorts(router, x_agent_stain="checkout=candidate")
    router.endpoints("2.0.0", [router.agents[1]])
    router.route(three(0), sticky=STICKY, group="checkout")
    await router.settle()
    seen = router.agents[1].requests
    assert "candidate" not in await cohorts(router, x_agent_stain="checkout=candidate")
    assert router.agents[1].requests == seen


@pytest.mark.asyncio
async def test_stains_travel_on(router, ready):
    await ready(candidate=500, sticky=STICKY, group="checkout")
    stained = await router.get(x_user_id="bob", x_agent_stain="billing=stable, checkout=candidate")
    assert (await stained.json())["headers"]["x-agent-stain"] == "checkout=candidate,billing=stable"
    router.route(three(500), sticky=STICKY)
    await router.settle()
    ungrouped = await router.get(x_user_id="bob", x_agent_stain="billing=stable")
    assert (await ungrouped.json())["headers"]["x-agent-stain"] == "billing=stable"


@pytest.mark.asyncio
async def test_a_caller_cannot_give_itself_envoy_settings(router, ready):
    await ready(candidate=0, sticky=STICKY)
    forged = {
        "x_envoy_upstream_rq_timeout_ms": "10",
        "x_forwarded_for": "10.0.0.7",
        "x_envoy_internal": "true",
    }
    task = asyncio.create_task(router.get("/wait", x_user_id="bob", **forged))
    done, _ = await asyncio.wait({task}, timeout=0.5)
    assert not done
    router.agents[0].release.set()
    assert (await task).status == 200


@pytest.mark.asyncio
async def test_only_two_admin_paths_are_reachable(router, ready):
    await ready()
    base = f"http://127.0.0.1:{router.settings.stats_port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/stats/prometheus") as answer:
            text = await answer.text()
        hidden = (("GET", "/config_dump"), ("POST", "/quitquitquit"), ("POST", "/ready"), ("GET", "/"))
        for method, path in hidden:
            async with session.request(method, base + path) as answer:
                assert answer.status == 404, (method, path)
        async with session.get(f"{base}/ready") as answer:
            assert answer.status == 200
    assert 'envoy_cluster_name="shop/support-1-0-0"' in text
    assert 'envoy_http_conn_manager_prefix="shop/support"' in text
