"""The evidence of a rollback: what is in it, that it waits until the ledger has it, and that nothing is made without one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentrollouts.api.agentversion import Release
from agentrollouts.api.bundle import CHANGES, SENTENCE, WAITING, BundleStatus
from agentrollouts.api.rollout_status import TrialStatus
from agentrollouts.core.decide import decide
from agentrollouts.core.decision import Rollback
from agentrollouts.core.gates import gate_state
from agentrollouts.core.plan import Emit, PatchRolloutStatus, SetRoute
from agentrollouts.core.planner import make_plan, settled
from agentrollouts.core.snapshot import Requests, Snapshot, Surroundings
from agentrollouts.core.trials import resumed, terms_of
from tests.builders import (
    AT_ONCE,
    UNAVAILABLE,
    carry_out,
    climbing,
    digest,
    evidence,
    good,
    later,
    look,
    step,
)
from tests.sessions import CANDIDATE, CONTROL, STABLE, Tried

WITH_LEDGER = Surroundings(epoch=1, ledger=True)
CHECKED = {
    **AT_ONCE,
    "minimumSessions": 5,
    "checks": [{"name": "success", "successRate": {}}],
    "breakers": [{"name": "spend", "cost": {"maxPerTask": "0.25"}}],
}


def on_its_way(**fields: Any) -> Snapshot:
    """2.0.0 has 5%, and a ledger is there."""
    return replace(climbing(**fields), surroundings=WITH_LEDGER)


def aborted(s: Snapshot, token: str = "now") -> Snapshot:
    return step(later(s, seconds=1), requests=Requests(abort=token))


def aborted_unmeasured(s: Snapshot) -> Snapshot:
    """As the operator does it: an abort waits for no evidence."""
    s = settled(replace(later(s, seconds=1), requests=Requests(abort="now"), evidence=UNAVAILABLE))
    gate = gate_state(s)
    return carry_out(s, make_plan(s, (), gate, decide(s, (), gate)))


def failing(s: Snapshot) -> Snapshot:
    """The candidate fails until it is taken out."""
    for n in (200, 400):
        s = later(s, minutes=5)
        s = step(
            s,
            evidence=evidence(
                {
                    ("2.0.0", "candidate"): (n // 2, n // 2),
                    ("1.0.0", "control"): (n, 0),
                    ("1.0.0", "stable"): (n, 0),
                },
                s.now,
            ),
        )
        if s.status.candidate is None:
            return s
    raise AssertionError(s.status.decision)


def test_without_a_ledger_nothing_is_made() -> None:
    assert aborted(climbing()).status.bundles == ()


def test_a_rollback_leaves_what_was_known_of_it() -> None:
    began = on_its_way(analysis=CHECKED)
    s = failing(began)
    (bundle,) = s.status.bundles
    assert (bundle.attempt, bundle.version, bundle.digest) == (1, "2.0.0", digest("b"))
    assert (bundle.stable, bundle.stable_digest) == ("1.0.0", digest("a"))
    decision, before = s.status.decision, began.status.candidate
    assert decision is not None and before is not None
    assert (bundle.reason, bundle.message, bundle.at) == (decision.reason, decision.message, decision.at)
    assert (bundle.started_at, bundle.first_share_at) == (before.started_at, before.first_share_at)
    assert (bundle.step, bundle.share) == (0, 500)
    (check,) = bundle.checks
    assert (check.name, check.verdict) == ("success", "FAIL")
    assert "50.0% of 200 against 0.0% of 400" in check.reason, "both cohorts' numbers"
    assert bundle.checks == s.status.checks
    assert [(breaker.name, breaker.state) for breaker in bundle.breakers] == [("spend", "Armed")]


def test_an_abort_leaves_one_with_what_was_reported_last() -> None:
    s = on_its_way(analysis=CHECKED)
    s = step(later(s, seconds=2), evidence=good(50, s.now))
    checks = s.status.checks
    assert checks
    (bundle,) = aborted_unmeasured(s).status.bundles
    assert (bundle.reason, bundle.checks) == ("Aborted", checks)


def test_nothing_but_a_rollback_leaves_one() -> None:
    s = on_its_way()
    s = step(later(s, hours=1), evidence=good(500, s.now))
    assert s.status.bundles == ()
    assert step(s, spec=s.spec.model_copy(update={"version": "1.0.0"})).status.bundles == ()


def test_the_sequential_test_goes_with_it_as_it_stood() -> None:
    tried = Tried.begun(analysis={"checks": [{"name": "success", "successRate": {}}]})
    tried.snapshot = replace(tried.snapshot, surroundings=WITH_LEDGER)
    for _ in range(40):
        tried.add(CANDIDATE, 10, 0)
        tried.add(STABLE, 10)
        tried.add(CONTROL, 10)
        decision, _ = tried.look(minutes=1)
        if isinstance(decision, Rollback):
            break
    (bundle,) = tried.snapshot.status.bundles
    assert bundle.trial is not None and tried.trial is not None
    terms = terms_of(tried.snapshot.spec, "2.0.0", "1.0.0")
    assert terms is not None
    kept = TrialStatus.model_validate(bundle.trial.model_dump(by_alias=True))
    assert resumed(terms, kept) == tried.trial, "with the look that took it out"


def released(s: Snapshot, version: str, **parts: dict[str, Any]) -> Snapshot:
    """The version's AgentVersion says this of its release."""
    view = s.versions[version]
    names = ("code", "model", "prompts", "tools", "data")
    body = {name: {"digest": digest("c"), **parts.get(name, {})} for name in names}
    versions = {**s.versions, version: replace(view, release=Release.model_validate(body))}
    return replace(s, versions=versions)


def test_the_difference_is_what_the_versions_say_field_by_field() -> None:
    model = {"name": "large", "parameters": {"temperature": "0.2", "seed": "7"}}
    s = released(on_its_way(), "1.0.0", model=model, tools={"names": ["lookup", "refund"]})
    s = released(
        s,
        "2.0.0",
        model={"name": "small", "parameters": {"temperature": "0.9"}, "digest": digest("d")},
        tools={"names": ["lookup"]},
    )
    (bundle,) = aborted(s).status.bundles
    assert bundle.changes is not None
    assert {(each.field, each.before, each.after) for each in bundle.changes} == {
        ("model.digest", digest("c"), digest("d")),
        ("model.name", '"large"', '"small"'),
        ("model.parameters.temperature", '"0.2"', '"0.9"'),
        ("model.parameters.seed", '"7"', ""),
        ("tools.refund", "a tool it had", ""),
    }


def test_a_version_that_is_gone_or_became_another_is_not_compared() -> None:
    s = released(released(on_its_way(), "1.0.0"), "2.0.0")
    (bundle,) = aborted(s).status.bundles
    assert bundle.changes == ()
    other = {**s.versions, "1.0.0": replace(s.versions["1.0.0"], digest=digest("f"))}
    for versions in ({"2.0.0": s.versions["2.0.0"]}, other):
        (bundle,) = aborted(replace(s, versions=versions)).status.bundles
        assert bundle.changes is None


def test_a_bundle_has_room_whatever_is_said() -> None:
    parameters = {f"p{n}": "x" * 256 for n in range(32)}
    s = released(on_its_way(analysis=CHECKED), "1.0.0", model={"parameters": parameters})
    long = {f"q{n}": "y" * 256 for n in range(32)}
    s = released(s, "2.0.0", model={"parameters": long}, tools={"names": ["lookup"]})
    s = step(later(s, seconds=2), evidence=good(50, s.now))
    checks = tuple(check.model_copy(update={"reason": "z" * 4000}) for check in s.status.checks)
    s = replace(s, status=s.status.model_copy(update={"checks": checks}), evidence=UNAVAILABLE)
    (bundle,) = aborted_unmeasured(s).status.bundles
    assert bundle.changes is not None
    assert len(bundle.changes) == CHANGES
    assert [len(check.reason) for check in bundle.checks] == [SENTENCE]
    assert BundleStatus.model_validate_json(bundle.model_dump_json(by_alias=True)) == bundle


def test_it_waits_until_the_ledger_has_it() -> None:
    s = aborted(on_its_way())
    assert step(later(s, seconds=2)).status.bundles == s.status.bundles
    done = step(s, kept=frozenset({1}))
    assert done.status.bundles == ()
    _, plan = look(later(done, seconds=2))
    assert not [action for action in plan.actions if isinstance(action, PatchRolloutStatus)]


def test_a_rollback_that_only_reached_the_route_is_caught_up_with() -> None:
    s = on_its_way(analysis=CHECKED)
    s = step(later(s, seconds=2), evidence=good(50, s.now))
    asked = later(replace(s, requests=Requests(abort="now")), seconds=1)
    decision, plan = look(asked)
    assert isinstance(decision, Rollback)
    assert isinstance(plan.actions[0], SetRoute)
    died = carry_out(asked, plan, upto=1)
    assert died.status.bundles == ()
    (late,) = step(later(died, seconds=5)).status.bundles
    (early,) = carry_out(asked, plan).status.bundles
    assert late == early


@pytest.mark.parametrize("retries", [WAITING + 1])
def test_the_oldest_makes_room_and_somebody_is_told(retries: int) -> None:
    s, told = on_its_way(), []
    for attempt in range(1, retries + 1):
        s = later(s, minutes=1)
        s = replace(s, requests=Requests(abort=f"{attempt}", retry=s.requests.retry))
        _, plan = look(s)
        told += [a for a in plan.actions if isinstance(a, Emit) and a.reason == "EvidenceLost"]
        s = carry_out(s, plan)
        s = step(later(s, minutes=10), requests=Requests(abort=f"{attempt}", retry=f"{attempt}"))
        for _ in range(3):
            if s.status.candidate is None:
                s = step(later(s, minutes=10))
        assert s.status.candidate is not None, s.status.decision
    assert [bundle.attempt for bundle in s.status.bundles] == list(range(2, retries + 1))
    assert [event.message.partition(" was")[0] for event in told] == ["the evidence of attempt 1 (2.0.0)"]
