"""After a rollback: the cool-down, and what isn't tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.core.decision import Complete, Hold, Start, Withdraw
from agentrollouts.core.snapshot import Snapshot
from tests.builders import AT_ONCE, REQUESTS, climbing, evidence, later, look, step, version

WORSE = evidence({("2.0.0", "candidate"): (0, 40), ("1.0.0", "control"): (40, 0)})


def rolled_back(**fields: Any) -> Snapshot:
    """2.0.0 was taken out a moment ago."""
    s = step(climbing(analysis=AT_ONCE, **fields), evidence=WORSE)
    assert s.status.rejected is not None
    return s


def wanting(s: Snapshot, semver: str, letter: str) -> Snapshot:
    """The same, and the spec asks for a version of this content."""
    versions = {**s.versions, semver: version(semver, letter)}
    return replace(s, versions=versions, spec=s.spec.model_copy(update={"version": semver}))


def test_another_version_waits_and_its_wait_has_an_end() -> None:
    s = wanting(rolled_back(), "2.1.0", "c")
    decision, plan = look(later(s, minutes=9))
    assert isinstance(decision, Hold)
    assert decision.reason == "CoolingDown"
    assert s.status.rejected is not None
    assert decision.until == s.status.rejected.at + timedelta(minutes=10)
    assert "10m after 2.0.0 was taken out" in decision.message
    assert timedelta(seconds=60) <= plan.requeue_after <= timedelta(seconds=61)
    assert plan.status is not None
    assert plan.status.phase == "Pending"
    decision, _ = look(later(s, minutes=10, seconds=1))
    assert isinstance(decision, Start)


def test_a_person_ends_the_wait() -> None:
    s = replace(wanting(rolled_back(), "2.1.0", "c"), requests=REQUESTS(retry="1"))
    decision, _ = look(later(s, seconds=5))
    assert isinstance(decision, Start)
    assert decision.reason == "Retried"


@pytest.mark.parametrize(("cool_down", "starts"), [("0s", True), ("10s", False), ("4s", True)])
def test_how_long_is_the_users_choice(cool_down: str, starts: bool) -> None:
    s = wanting(rolled_back(rollback={"coolDown": cool_down}), "2.1.0", "c")
    assert isinstance(look(later(s, seconds=5))[0], Start) is starts


def test_no_cool_down_follows_a_person() -> None:
    s = step(climbing(), requests=REQUESTS(abort="1"))
    assert s.status.rejected is not None
    decision, _ = look(later(wanting(s, "2.1.0", "c"), seconds=1))
    assert isinstance(decision, Start)


def test_the_same_content_under_another_name_is_the_same() -> None:
    s = wanting(rolled_back(), "2.0.1", "b")
    decision, plan = look(later(s, hours=3))
    assert isinstance(decision, Complete)
    assert decision.degraded
    assert decision.message.startswith(
        "2.0.1 has the same content as 2.0.0, which was taken out: 1 of the last 1"
    )
    assert plan.status is not None
    assert plan.status.phase == "RolledBack"
    assert "2.0.1 has the same content" in plan.status.message
    decision, _ = look(replace(later(s, hours=3), requests=REQUESTS(retry="1")))
    assert isinstance(decision, Start)


def test_what_was_taken_out_long_ago_is_known_from_the_history() -> None:
    """Two rollbacks: the status names only the last one."""
    s = later(wanting(rolled_back(), "2.1.0", "c"), hours=1)
    s = step(later(step(s), seconds=2))
    worse = evidence({("2.1.0", "candidate"): (0, 40), ("1.0.0", "control"): (40, 0)}, s.now)
    s = step(later(s, seconds=2), evidence=worse)
    assert s.status.rejected is not None
    assert s.status.rejected.version == "2.1.0"
    decision, plan = look(later(wanting(s, "2.0.0", "b"), hours=3))
    assert isinstance(decision, Complete)
    assert decision.message.startswith("2.0.0 was taken out before: ")
    assert plan.status is not None
    assert plan.status.message.startswith("1.0.0 serves; 2.0.0 was taken out before: ")


def test_going_back_to_what_was_taken_out_withdraws_and_starts_nothing() -> None:
    s = later(wanting(rolled_back(), "2.1.0", "c"), hours=1)
    s = step(later(step(s), seconds=2))
    assert s.status.candidate is not None
    back = wanting(s, "2.0.0", "b")
    decision, _ = look(later(back, seconds=2))
    assert isinstance(decision, Withdraw)
    assert "2.0.0 is wanted instead, and waits" in decision.message
    s = step(step(later(back, seconds=2)))
    assert s.status.candidate is None
    assert s.status.phase == "RolledBack"


def test_a_content_that_was_tried_again_and_promoted_is_free() -> None:
    s = rolled_back(strategy={"steps": [{"share": 5, "soak": "1m"}]})
    freed = s.status.history[-1].model_copy(update={"outcome": "Promoted"})
    s = replace(
        s, status=s.status.model_copy(update={"history": (*s.status.history, freed), "rejected": None})
    )
    assert isinstance(look(later(s, hours=1))[0], Start)


def test_to_be_superseded_is_no_word_for_it() -> None:
    s = rolled_back()
    gone = s.status.history[-1].model_copy(update={"outcome": "Superseded"})
    s = replace(
        s, status=s.status.model_copy(update={"history": (*s.status.history, gone), "rejected": None})
    )
    decision, _ = look(later(s, hours=1))
    assert isinstance(decision, Complete)
    assert decision.degraded


def test_content_that_only_shares_its_name_is_another() -> None:
    s = replace(rolled_back(), versions={"1.0.0": version("1.0.0", "a"), "2.0.0": version("2.0.0", "d")})
    assert isinstance(look(later(s, hours=1))[0], Start)


def test_a_retry_is_used_up_by_the_start_it_asked_for() -> None:
    s = step(later(rolled_back(), minutes=1), requests=REQUESTS(retry="1"))
    assert s.status.candidate is not None
    assert s.status.rejected is None
    s = step(later(s, seconds=2))
    s = step(later(s, seconds=2), evidence=WORSE)
    assert isinstance(look(later(s, hours=1))[0], Complete)
