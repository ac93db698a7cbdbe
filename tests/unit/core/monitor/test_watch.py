"""What is watched when, and what the status keeps: through crashes, other stable versions and switched-off monitors."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.monitor import DriftStatus
from agentrollouts.api.rollout_status import StableStatus
from agentrollouts.core.conditions import condition
from agentrollouts.core.decision import Promote
from agentrollouts.core.evidence import Arm, Evidence
from agentrollouts.core.gates import gate_state
from agentrollouts.core.monitor.behavior import Behavior, behavior_of, profile_of
from agentrollouts.core.monitor.watch import CONDITION, is_watched, look_at, watched, watched_since
from agentrollouts.core.plan import SetRoute
from agentrollouts.core.planner import make_plan, settled
from agentrollouts.core.snapshot import RouteView, Snapshot
from tests.builders import START, climbing, digest, installed, later, look, snapshot, spec
from tests.unit.core.monitor.behaving import USUAL, Way

REFUSES = USUAL.but(refusal=0.4)


def evidence(version: str, way: Way, n: float) -> Evidence:
    totals = {Arm(version, "stable"): way.exactly(n)}
    return Evidence(total=totals, recent=totals, as_of=START)


def profiled(n: float = 5_000, **fields: Any) -> Snapshot:
    """1.0.0 serves and has a profile."""
    behavior = behavior_of(USUAL.exactly(n))
    assert isinstance(behavior, Behavior)
    s = replace(installed(), spec=spec(**fields))
    assert s.status.stable is not None
    stable = s.status.stable.model_copy(update={"profile": profile_of(behavior, START)})
    return later(replace(s, status=s.status.model_copy(update={"stable": stable})), hours=1)


def seen(s: Snapshot, way: Way, n: float = 5_000) -> Snapshot:
    return replace(s, behavior=evidence("1.0.0", way, n))


def told(s: Snapshot) -> str:
    """Status of the condition; empty where there is none."""
    return next((str(item.status) for item in s.status.conditions if item.type == CONDITION), "")


def ticked(s: Snapshot) -> tuple[Snapshot, list[str]]:
    """After a tick, and the events of the monitor in it."""
    _, plan = look(s)
    assert plan.status is not None
    events = [
        action.reason for action in plan.actions if getattr(action, "reason", "").startswith("Behavior")
    ]
    return replace(s, status=plan.status), events


def test_a_look_counts_only_where_a_version_serves_alone() -> None:
    s = profiled()
    assert is_watched(s.spec, s.status)
    assert not is_watched(spec(monitor={"enabled": False}), s.status)
    assert not is_watched(
        spec(strategy={"manual": {"shares": [{"version": "1.0.0", "share": 100}]}}), s.status
    )
    assert not is_watched(climbing().spec, climbing().status)
    assert not is_watched(snapshot().spec, snapshot().status)


@pytest.mark.parametrize(("hours", "start"), [(0, 0), (23, 0), (25, 0), (47, 0), (49, 24), (100, 72)])
def test_sums_are_of_one_to_two_windows_and_begin_anew_once_a_window(hours: int, start: int) -> None:
    stable = StableStatus(version="1.0.0", digest=digest("a"), since=START)
    found = watched_since(stable, timedelta(hours=24), START + timedelta(hours=hours))
    assert found == START + timedelta(hours=start)


def test_drift_begins_and_ends_once_and_is_known_by_the_status_alone() -> None:
    s, events = ticked(seen(profiled(), USUAL))
    assert (told(s), events) == ("False", [])
    s, events = ticked(seen(s, REFUSES))
    assert (told(s), events) == ("True", ["BehaviorDrifted"])
    again, events = ticked(seen(later(s, minutes=5), REFUSES, 5_100))
    assert (again.status, events) == (s.status, [])
    s, events = ticked(seen(s, USUAL))
    assert (told(s), events, s.status.drift) == ("False", ["BehaviorRecovered"], ())


def test_people_are_told_when_drift_begins_and_when_another_signal_does() -> None:
    s, _ = ticked(seen(profiled(notify=[{"name": "team", "slack": {"ref": "team"}}]), REFUSES))
    assert s.status.notices is not None
    (notice,) = s.status.notices.pending
    assert (notice.happening, notice.candidate, notice.stable, notice.to) == (
        "Drifted",
        "1.0.0",
        "1.0.0",
        ("team",),
    )
    assert notice.message.startswith("refusal: in 40.0% of the tasks")
    same, _ = ticked(seen(later(s, minutes=5), REFUSES))
    assert same.status == s.status
    more, _ = ticked(seen(later(s, hours=1), REFUSES.but(length=0.5)))
    assert more.status.notices is not None
    assert [one.message.partition(":")[0] for one in more.status.notices.pending] == [
        "refusal",
        "responseLength",
    ]


def test_nothing_read_changes_nothing() -> None:
    s, _ = ticked(seen(profiled(), REFUSES))
    after, events = ticked(replace(later(s, hours=2), behavior=None))
    assert (after.status, events) == (s.status, [])


def test_a_second_signal_is_told_of_and_the_first_keeps_its_words() -> None:
    s, _ = ticked(seen(profiled(), REFUSES))
    s, events = ticked(seen(later(s, hours=1), REFUSES.but(length=0.5)))
    assert events == ["BehaviorDrifted"]
    assert [(drift.signal, drift.since) for drift in s.status.drift] == [
        ("refusal", START + timedelta(hours=1)),
        ("responseLength", START + timedelta(hours=2)),
    ]


def test_quiet_hours_do_not_make_it_come_and_go() -> None:
    s = profiled()
    few = look_at(seen(s, USUAL, 150))
    assert few is not None and few.silent == "TooFewSessions"
    assert told(ticked(seen(s, USUAL, 150))[0]) == "", "nothing was known, and nothing is"
    s, _ = ticked(seen(s, USUAL, 250))
    s, _ = ticked(seen(s, USUAL, 150))
    assert told(s) == "False"
    s, _ = ticked(seen(s, USUAL, 90))
    assert told(s) == "Unknown"
    s, _ = ticked(seen(s, USUAL, 150))
    assert told(s) == "Unknown"


def test_a_profile_of_nothing_that_is_reported_now_is_no_pass() -> None:
    s = profiled()
    assert s.status.stable is not None and s.status.stable.profile is not None
    bare = s.status.stable.profile.model_copy(
        update={"tools": None, "topics": None, "events": {}, "response_length": None}
    )
    stable = s.status.stable.model_copy(update={"profile": bare})
    s = seen(replace(s, status=s.status.model_copy(update={"stable": stable})), USUAL)
    found = look_at(s)
    assert found is not None and found.silent == "NotReported"
    assert told(ticked(s)[0]) == ""


def promoting(sessions: float) -> Snapshot:
    """2.0.0 is about to be promoted while 1.0.0 drifts, with so many sessions of its own."""
    s = climbing()
    drift = DriftStatus(signal="refusal", since=START, message="it refuses")
    old = condition(CONDITION, status=True, reason="Drifted", message="", generation=1, now=START, before=())
    status = s.status.model_copy(
        update={"drift": (drift,), "conditions": (*s.status.conditions, old), "candidate": s.status.candidate}
    )
    totals = {Arm("2.0.0", "candidate"): REFUSES.exactly(sessions)}
    return replace(s, status=status, evidence=Evidence(total=totals, recent=totals, as_of=START))


def promote(s: Snapshot, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("agentrollouts.core.planner.check_rails", lambda *_: None)
    return make_plan(s, (), gate_state(s), Promote("Promoted"))


def test_a_promotion_takes_the_profile_and_leaves_the_old_drift_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = promote(promoting(400), monkeypatch)
    assert plan.status.stable.version == "2.0.0"
    assert plan.status.stable.profile.sessions == 400
    assert plan.status.stable.profile.events["refusal"] == 4_000
    assert plan.status.drift == ()
    assert CONDITION not in {item.type for item in plan.status.conditions}


def test_too_few_sessions_make_no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    assert promote(promoting(199), monkeypatch).status.stable.profile is None


def test_a_promotion_that_was_never_reported_takes_its_profile_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator died after the route was written: what it knew of the candidate is gone, and the old drift as well."""
    s = promoting(400)
    plan = promote(s, monkeypatch)
    route = next(action.spec for action in plan.actions if isinstance(action, SetRoute))
    s = later(replace(s, route=RouteView(route, "9"), spec=spec("2.0.0")), seconds=5)
    s, events = ticked(s)
    assert s.status.stable is not None and s.status.stable.version == "2.0.0"
    assert (s.status.stable.profile, s.status.drift, told(s), events) == (None, (), "", [])
    s, _ = ticked(replace(s, behavior=evidence("2.0.0", USUAL, 250)))
    assert s.status.stable is not None and s.status.stable.profile is not None


def test_switched_off_it_takes_back_what_it_said() -> None:
    s, _ = ticked(seen(profiled(), REFUSES))
    s, events = ticked(replace(s, spec=spec(monitor={"enabled": False}), behavior=None))
    assert (told(s), s.status.drift, events) == ("", (), [])


def test_it_never_decides_anything() -> None:
    calm, alarmed = look(seen(profiled(), USUAL)), look(seen(profiled(), REFUSES))
    assert calm[0] == alarmed[0]
    assert [a for a in calm[1].actions if isinstance(a, SetRoute)] == []
    assert [a for a in alarmed[1].actions if isinstance(a, SetRoute)] == []


def test_a_rollout_is_looked_at_as_often_as_its_monitor_wants() -> None:
    quick = profiled(monitor={"interval": "2m"})
    assert look(quick)[1].requeue_after == timedelta(minutes=2)
    assert settled(quick) is quick


def test_another_version_s_evidence_never_makes_a_profile() -> None:
    s = later(installed(), hours=1)
    assert (
        watched(replace(s, behavior=evidence("9.0.0", USUAL, 900)), s.status).status.stable == s.status.stable
    )
