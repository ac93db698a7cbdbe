"""Who is served by which arm, on a real Envoy."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

USERS = [f"user-{number}" for number in range(1500)]
STICKY = {"header": "x-user-id"}


def three(candidate: int, control: int = 500) -> list[dict[str, Any]]:
    stable = 10_000 - candidate - control
    return [
        {"cohort": "candidate", "version": "2.0.0", "service": "support-2-0-0", "share": candidate},
        {"cohort": "stable", "version": "1.0.0", "service": "support-1-0-0", "share": stable},
        {"cohort": "control", "version": "1.0.0", "service": "support-1-0-0", "share": control},
    ]


def of(sides: dict[str, tuple[str, str, str]], cohort: str) -> set[str]:
    return {user for user, side in sides.items() if side[1] == cohort}


def within_chance(count: int, share: float, users: int) -> bool:
    return abs(count - share * users) <= 4.5 * sqrt(users * share * (1 - share))


@pytest.mark.asyncio
@pytest.mark.parametrize("offset", [0, 9_800], ids=["from zero", "across the wrap"])
async def test_nobody_moves_back_while_the_candidate_grows(router, offset):
    await router.pods("1.0.0")
    candidate = (await router.pods("2.0.0"))[0]
    before: set[str] = set()
    control: set[str] | None = None
    for share in (500, 2_000, 5_000):
        router.route(three(share), sticky=STICKY, offset=offset)
        await router.settle()
        sides = await router.sides(USERS)
        assert sides == await router.sides(USERS)
        assert before <= of(sides, "candidate")
        assert control in (None, of(sides, "control"))
        before, control = of(sides, "candidate"), of(sides, "control")
        assert within_chance(len(before), share / 10_000, len(USERS))
        assert within_chance(len(control), 0.05, len(USERS))
    router.route(three(0), sticky=STICKY, offset=offset)
    await router.settle()
    seen = candidate.requests
    sides = await router.sides(USERS)
    assert candidate.requests == seen
    assert of(sides, "control") == control
    assert before <= of(sides, "stable")


@pytest.mark.asyncio
async def test_offsets_rotate_who_goes_first(router):
    await router.pods("1.0.0")
    await router.pods("2.0.0")
    router.route(three(500), sticky=STICKY, offset=0)
    router.route(three(500), name="other", sticky=STICKY, offset=3_700)
    await router.settle()
    first = of(await router.sides(USERS), "candidate")
    second = of(await router.sides(USERS, name="other"), "candidate")
    assert first
    assert second
    assert not first & second


@pytest.mark.asyncio
async def test_users_of_a_small_arm_spread_over_its_pods_and_stay(router):
    await router.pods("1.0.0")
    pods = await router.pods("2.0.0", 3)
    router.route(three(1_000), sticky=STICKY)
    await router.settle()
    sides = await router.sides(USERS)
    assert sides == await router.sides(USERS)
    users = of(sides, "candidate")
    for pod in pods:
        served = sum(sides[user][2] == pod.pod for user in users)
        assert within_chance(served, 1 / 3, len(users)), (pod.pod, served, len(users))


@pytest.mark.asyncio
async def test_many_versions_side_by_side(router):
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        await router.pods(version)
    arms = [
        {"cohort": "candidate", "version": "2.0.0", "service": "support-2-0-0", "share": 2_000},
        {"cohort": "candidate", "version": "3.0.0", "service": "support-3-0-0", "share": 3_000},
        {"cohort": "stable", "version": "1.0.0", "service": "support-1-0-0", "share": 5_000},
    ]
    router.route(arms, sticky=STICKY, offset=7_500)
    await router.settle()
    sides = await router.sides(USERS)
    for arm in arms:
        served = sum(side[0] == arm["version"] and side[1] == arm["cohort"] for side in sides.values())
        assert within_chance(served, arm["share"] / 10_000, len(USERS))


@pytest.mark.asyncio
async def test_an_arm_without_pods_leaves_the_routes_and_comes_back(router):
    stable = await router.pods("1.0.0")
    candidate = await router.pods("2.0.0")
    router.route(three(2_000), sticky=STICKY)
    await router.settle()
    sides = await router.sides(USERS[:300])
    router.endpoints("2.0.0", [], terminating=candidate)
    await router.settle()
    without = await router.sides(USERS[:300])
    assert not of(without, "candidate")
    assert of(without, "control") == of(sides, "control")
    router.endpoints("2.0.0", candidate)
    await router.settle()
    assert await router.sides(USERS[:300]) == sides
    router.endpoints("1.0.0", [])
    await router.settle()
    for user in USERS[:100]:
        answer = await router.get(x_user_id=user)
        took = sides[user][1]
        assert (answer.status, answer.headers["x-agent-cohort"]) == (
            200 if took == "candidate" else 503,
            took,
        )
    router.endpoints("1.0.0", stable)
    await router.settle()
    assert await router.sides(USERS[:300]) == sides


@pytest.mark.asyncio
async def test_a_stable_version_whose_probes_are_late_goes_on_serving(router):
    stable = await router.pods("1.0.0")
    candidate = await router.pods("2.0.0")
    router.route(three(2_000), sticky=STICKY)
    await router.settle()
    sides = await router.sides(USERS[:100])
    router.endpoints("1.0.0", [], unready=stable)
    await router.settle()
    assert await router.sides(USERS[:100]) == sides
    router.endpoints("2.0.0", [], unready=candidate)
    await router.settle()
    assert not of(await router.sides(USERS[:100]), "candidate")
