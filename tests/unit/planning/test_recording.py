from __future__ import annotations

import json
from datetime import timedelta
from random import Random

import pytest

from agentrollouts.core.evidence import Arm, Totals, Unavailable
from agentrollouts.planning.measured import measured
from agentrollouts.planning.recording import Recording, RecordingError, read, replay, written
from agentrollouts.planning.simulation import BEGIN, Journal, Pace, simulate
from agentrollouts.planning.world import Sorts, Traffic, World
from tests.builders import spec

HEAD = '{"recording":1,"stable":"1.0.0","candidate":"2.0.0"}'
WORLD = World(30.0, effect=-0.2)


@pytest.mark.parametrize("mode", ["sequential", "threshold"])
@pytest.mark.parametrize("window", ["0s", "5m"])
def test_a_recorded_simulation_is_decided_again_as_it_was(mode: str, window: str) -> None:
    wanted = spec("2.0.0", analysis={"mode": mode, "window": window})
    found = simulate(wanted, WORLD, seed=3, stable="1.0.0", pace=Pace(timedelta(hours=3)), record=True)
    lines = list(written(Recording("1.0.0", "2.0.0", found.recorded)))
    outcome, looks = replay(wanted, read(lines))
    journal = Journal()
    for look in looks:
        journal.add(look)
    assert outcome == found.outcome
    assert journal.looks() == found.looks


def test_reading_gives_what_was_written() -> None:
    traffic = Traffic(
        WORLD, Sorts.of(spec(analysis={"mode": "sequential"}), WORLD), "2.0.0", "1.0.0", _random()
    )
    looks = (
        (BEGIN, traffic.counters()),
        (BEGIN + timedelta(seconds=1), Unavailable("no answer")),
    )
    assert read(written(Recording("1.0.0", "2.0.0", looks))) == Recording("1.0.0", "2.0.0", looks)


def test_a_look_that_saw_nothing_holds() -> None:
    lines = [HEAD, _look(0), _look(2), '{"at":"2026-01-05T09:00:03+00:00","unavailable":"no answer"}']
    _, looks = replay(spec("2.0.0", analysis={"mode": "sequential"}), read(lines))
    assert (looks[-1].decision.reason, looks[-1].decision.message) == ("NoEvidence", "no answer")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "expected a line that says what was recorded"),
        ([HEAD], "at least one look"),
        (["{"], "line 1: expected a JSON object"),
        (["[1]"], r"line 1: expected a JSON object; got \[1\]"),
        (['{"recording":2}'], 'line 1: expected a line with "recording": 1 first'),
        (['{"recording":1,"stable":"1.0.0"}'], "the versions under stable and candidate"),
        ([HEAD, "{}"], "line 2: expected a moment"),
        ([HEAD, '{"at":"2026-01-05T09:00:00","counters":{}}'], "offset from UTC"),
        ([HEAD, '{"at":"2026-01-05T09:00:00Z"}'], "counters by version, cohort, metric and value"),
        ([HEAD, '{"at":"2026-01-05T09:00:00Z","counters":{"1.0.0":3}}'], "counters by version"),
        (
            [HEAD, '{"at":"2026-01-05T09:00:00Z","counters":{"1.0.0":{"stable":{"n":{"":"x"}}}}}'],
            "counters by version",
        ),
    ],
)
def test_what_cant_be_read_is_told_with_its_line(lines: list[str], words: str) -> None:
    with pytest.raises(RecordingError, match=words):
        read(lines)


def test_looks_out_of_order_are_refused() -> None:
    with pytest.raises(RecordingError, match="line 3: expected a moment after 2026-01-05T09:00:02"):
        read([HEAD, _look(2), _look(2)])


def test_a_recording_of_another_candidate_is_refused() -> None:
    with pytest.raises(RecordingError, match=r"expected a recording of 3\.0\.0"):
        replay(spec("3.0.0"), read([HEAD, _look(0)]))


def test_measuring_a_synthetic_agent_gives_what_it_was_made_of() -> None:
    world = World(50.0, success=0.85, tasks_per_session=4, correlation=0.4, cost=0.08)
    assert measured({}, 60.0) is None
    known = measured(past_of(world), 1440.0)
    assert known is not None
    assert known.sessions_per_minute == pytest.approx(50.0, rel=0.02)
    assert known.success == pytest.approx(0.85, abs=0.01)
    assert known.tasks_per_session == 4
    assert known.correlation == pytest.approx(0.4, abs=0.03)
    assert known.cost == pytest.approx(0.08, rel=0.02)


def past_of(world: World) -> Totals:
    checks = [
        {"name": "success", "successRate": {}},
        {"name": "cost", "cost": {}},
    ]
    breaker = [{"name": "errors", "errors": {"max": "90%"}}]
    wanted = spec(analysis={"mode": "sequential", "checks": checks, "breakers": breaker})
    traffic = Traffic(world, Sorts.of(wanted, world), "2.0.0", "1.0.0", _random())
    return traffic.counters()[Arm("1.0.0", "stable")]


def _random() -> Random:
    return Random(11)


def _look(seconds: int) -> str:
    cells = {"2.0.0": {"candidate": {"agent_sessions_closed_total": {"idle": float(seconds)}}}}
    return json.dumps({"at": (BEGIN + timedelta(seconds=seconds)).isoformat(), "counters": cells})
