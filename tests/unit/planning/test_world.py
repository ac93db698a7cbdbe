from __future__ import annotations

from random import Random

import pytest

from agentrollouts.api.agentroute import Arm as RouteArm
from agentrollouts.api.presets import PRESETS
from agentrollouts.core.analysis import queries
from agentrollouts.core.checks.events import SOURCES
from agentrollouts.core.evidence import Arm, Cell, sum_of
from agentrollouts.planning.sessions import SHAPES, judged
from agentrollouts.planning.world import Sorts, Traffic, World
from tests.builders import spec

SEQUENTIAL = {"mode": "sequential"}
ARMS = tuple(
    RouteArm(cohort=cohort, version=version, service="x", share=share)
    for cohort, version, share in (
        ("candidate", "2.0.0", 1000),
        ("stable", "1.0.0", 8000),
        ("control", "1.0.0", 1000),
    )
)


def served(world: World, seed: int = 3, minutes: float = 100.0, **fields: object) -> Traffic:
    wanted = spec("2.0.0", **fields)
    traffic = Traffic(world, Sorts.of(wanted, world), "2.0.0", "1.0.0", Random(seed))
    traffic.serve(minutes, ARMS)
    return traffic


def test_the_candidate_loses_what_the_effect_says_and_the_old_version_doesnt() -> None:
    counters = served(World(400.0, effect=-0.2), analysis=SEQUENTIAL).counters()
    for arm, rate in ((Arm("2.0.0", "candidate"), 0.75), (Arm("1.0.0", "control"), 0.95)):
        n = sum_of(counters[arm], "agent_sessions_closed_total")
        assert 3600 < n < 4400
        assert sum_of(counters[arm], "agent_session_success_fraction_total") / n == pytest.approx(
            rate, abs=0.02
        )


def test_the_old_version_has_a_past_and_the_candidate_begins_at_zero() -> None:
    world = World(10.0)
    counters = Traffic(
        world, Sorts.of(spec(analysis=SEQUENTIAL), world), "2.0.0", "1.0.0", Random(1)
    ).counters()
    assert set(counters[Arm("2.0.0", "candidate")].values()) == {0.0}
    assert sum_of(counters[Arm("1.0.0", "stable")], "agent_sessions_closed_total") > 13_000


@pytest.mark.parametrize("mode", ["sequential", "threshold"])
@pytest.mark.parametrize("preset", PRESETS)
def test_every_counter_that_decides_is_reported(preset: str, mode: str) -> None:
    analysis = {"preset": preset, "mode": mode}
    counters = served(World(1.0), analysis=analysis).counters()
    reported = {cell.metric for cell in counters[Arm("2.0.0", "candidate")]}
    assert reported == {query.metric for query in judged(spec(analysis=analysis))}
    assert reported <= {query.metric for query in queries(spec(analysis=analysis))}


def test_what_checks_ask_for_is_reported() -> None:
    checks = [{"name": f"e{n}", "events": {"event": event}} for n, event in enumerate(SOURCES)]
    own = {"name": "own", "ratio": {"bad": "orders_lost_total", "total": "orders_total", "max": "4%"}}
    counters = served(World(50.0), analysis=SEQUENTIAL | {"checks": [*checks, own]}).counters()
    cells = counters[Arm("2.0.0", "candidate")]
    assert all(Cell(query.metric, value) in cells for query, value in SOURCES.values())
    assert cells[Cell("orders_lost_total")] == pytest.approx(0.02 * cells[Cell("orders_total")])


def test_few_and_many_sessions_are_drawn_alike() -> None:
    world = World(30.0, success=0.9)
    slow = served(world, minutes=0.0, analysis=SEQUENTIAL)
    for _ in range(4000):
        slow.serve(0.1, ARMS)
    quick = served(world, minutes=400.0, analysis=SEQUENTIAL)
    arm = Arm("2.0.0", "candidate")
    for metric in ("agent_sessions_closed_total", "agent_session_success_fraction_squares_total"):
        one, other = (sum_of(each.counters()[arm], metric) for each in (slow, quick))
        assert one == pytest.approx(other, rel=0.1)


def test_shapes_are_a_distribution_with_a_mean_cost_of_one() -> None:
    assert sum(shape.chance for shape in SHAPES) == pytest.approx(1.0)
    assert sum(shape.chance * shape.cost for shape in SHAPES) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sessions_per_minute": 0.0}, "sessions per minute from 0.0001"),
        ({"success": 1.1}, "success rate from 0 to 1; got 1.1"),
        ({"effect": -2.0}, "effect from -1 to 1"),
        ({"tasks_per_session": 0}, "tasks per session from 1 to 50"),
        ({"correlation": 1.5}, "correlation from 0 to 1"),
        ({"cost": 0.5}, "part of the cap from 0 to 0.45"),
    ],
)
def test_a_world_that_cant_be_is_refused(fields: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        World(**{"sessions_per_minute": 1.0, **fields})  # type: ignore[arg-type]
