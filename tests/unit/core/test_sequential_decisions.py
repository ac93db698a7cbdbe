"""Whole rollouts, look by look, through the rules that decide in sequential mode."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from agentrollouts.core.checks import Verdict
from agentrollouts.core.decision import Advance, AwaitApproval, Decision, Hold, Pause, Rollback
from agentrollouts.core.evidence import Cell, sum_of
from tests.builders import REQUESTS, UNAVAILABLE, later, look, version
from tests.sessions import CANDIDATE, CONTROL, STABLE, Tried, scored

MANY = {CANDIDATE: 3, CONTROL: 3, STABLE: 12}
SUCCESS = {"checks": [{"name": "success", "successRate": {}}]}


def rates(effect: float) -> dict[Any, float]:
    return {CANDIDATE: 0.95 + effect, CONTROL: 0.95, STABLE: 0.95}


def outcome(
    effect: float, seed: int, looks: int, restart_at: int = -1, **spec: Any
) -> tuple[list[Decision], Tried]:
    """Decisions of a rollout whose every look brings some sessions, up to the one that takes it out or asks for approval."""
    chance, tried, found = Random(seed), Tried.begun(**spec), []
    for at in range(looks):
        if at == restart_at:
            tried = tried.restarted()
        tried.draw(chance, rates(effect), MANY)
        found.append(tried.look(minutes=1)[0])
        if isinstance(found[-1], (Rollback, AwaitApproval)):
            break
    return found, tried


@pytest.mark.parametrize("seed", range(5))
def test_a_candidate_that_is_as_good_is_not_taken_out_in_two_hundred_looks(seed: int) -> None:
    gated = {"approval": {"above": "5%"}}
    chance, tried = Random(seed), Tried.begun(**gated)
    for _ in range(200):
        tried.draw(chance, rates(0.0), MANY)
        decision, _ = tried.look(minutes=1)
        assert not isinstance(decision, Rollback), decision
    assert isinstance(decision, AwaitApproval)


def test_a_candidate_that_is_as_good_climbs_all_steps() -> None:
    found, _ = outcome(0.0, seed=1, looks=200)
    assert [one.share for one in found if isinstance(one, Advance)] == [2_000, 5_000]
    assert isinstance(found[-1], AwaitApproval)


@pytest.mark.parametrize("seed", range(5))
def test_thirty_points_less_is_found_soon(seed: int) -> None:
    found, tried = outcome(-0.3, seed, looks=200)
    assert isinstance(found[-1], Rollback)
    assert found[-1].reason == "CheckFailed"
    assert found[-1].message.startswith("success: succeeded ")
    assert len(found) <= 40
    assert tried.snapshot.status.candidate is None


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("effect", [-0.3, 0.0])
def test_a_restart_in_the_middle_goes_on_to_the_same_decision(seed: int, effect: float) -> None:
    through, _ = outcome(effect, seed, looks=200)
    again, _ = outcome(effect, seed, looks=200, restart_at=len(through) // 2)
    assert type(again[-1]) is type(through[-1])
    assert abs(len(again) - len(through)) <= 15
    if effect:
        assert again[-1].reason == "CheckFailed"


def test_a_restart_where_the_status_is_as_new_as_the_trial_changes_nothing_at_all() -> None:
    through, _ = outcome(-0.1, 4, looks=60)
    chance, tried, again = Random(4), Tried.begun(), []
    for _ in range(60):
        tried.draw(chance, rates(-0.1), MANY)
        again.append(tried.look(minutes=16)[0])  # each look writes the record
        tried = tried.restarted()
        if isinstance(again[-1], Rollback):
            break
    assert isinstance(through[-1], Rollback)
    assert len(again) == len(through)
    assert again[-1] == through[-1]


@pytest.mark.parametrize(
    "held",
    [
        {"strategy": {"steps": [{"share": "5%", "soak": "24h"}]}},
        {"strategy": {"steps": [{"share": "5%", "minimumSessions": 100_000}]}},
        {"approval": {"above": "5%"}},
        {
            "strategy": {"selfTuning": {"interval": "24h", "rollbackAbove": "100%", "promoteBelow": "100%"}},
            "analysis": SUCCESS,
        },
    ],
    ids=["soak", "samples", "gate", "self-tuning"],
)
def test_the_budget_that_is_reached_takes_the_candidate_out_at_once(held: dict[str, Any]) -> None:
    tried = Tried.begun(**held)
    tried.add(STABLE, 200, 194)
    tried.add(CANDIDATE, 20, 2)
    decision, _ = tried.look()
    assert isinstance(decision, Rollback)
    assert decision.reason == "CheckFailed"


def test_neither_unready_pods_nor_a_person_who_paused_stop_it() -> None:
    tried = Tried.begun()
    versions = {**tried.snapshot.versions, "1.0.0": version("1.0.0", "a", ready=False)}
    tried.snapshot = replace(tried.snapshot, versions=versions, requests=REQUESTS(paused=True))
    tried.add(STABLE, 200, 194)
    assert isinstance(tried.look()[0], Pause)
    tried.add(CANDIDATE, 20, 2)
    assert isinstance(tried.look()[0], Rollback)


def test_evidence_that_cannot_be_had_is_neither_pass_nor_failure() -> None:
    tried = Tried.begun()
    tried.add(STABLE, 200, 194)
    tried.add(CANDIDATE, 8, 6)
    tried.look()
    s = replace(later(tried.snapshot, hours=2), evidence=UNAVAILABLE)
    decision, plan = look(s)
    assert isinstance(decision, Hold)
    assert decision.no_evidence
    assert {check.verdict for check in plan.status.checks} == {Verdict.INCONCLUSIVE}
    assert plan.status.candidate is not None
    assert plan.status.candidate.trial == tried.record  # what was known isn't lost with it


class TestWhatTheSeedGotWrong:
    """In sequential mode as well. Each test fails on the rule that is published there."""

    def test_nothing_measured_is_not_a_perfect_rate(self) -> None:
        """There, failed over none is 0.0, which promotes."""
        tried = Tried.begun(strategy={"steps": [{"share": "5%", "soak": "1m", "minimumSessions": 0}]})
        decision, plan = tried.look(hours=1)
        assert isinstance(decision, Hold)
        assert decision.no_evidence
        assert {check.verdict for check in plan.status.checks} == {Verdict.INCONCLUSIVE}

    def test_a_low_score_that_should_be_low_passes_and_a_high_one_fails(self) -> None:
        """There, every check is "at least", so a toxicity of 0 fails and one of 1 passes."""
        check = {"name": "toxicity", "score": {"name": "toxicity", "better": "lower"}}
        for ours, verdict in ((0.02, Verdict.PASS), (0.9, Verdict.FAIL)):
            tried = Tried.begun(analysis={"checks": [check]})
            for arm, n, mean in ((STABLE, 900, 0.02), (CANDIDATE, 300, ours)):
                tried.totals[arm] = scored(n, mean)
            _, plan = tried.look()
            assert [check.verdict for check in plan.status.checks] == [verdict]
            assert (plan.status.candidate is None) == (verdict is Verdict.FAIL)

    def test_a_new_tool_is_seen(self) -> None:
        """There, only the tools of the baseline are compared."""
        tried = Tried.begun(analysis={"checks": [{"name": "tools", "toolMix": {}}]})
        verdicts: list[str] = []
        while tried.snapshot.status.candidate and len(verdicts) < 6:
            for arm, n, used in ((STABLE, 60, "none"), (CANDIDATE, 20, "delete_everything")):
                tried.add(arm, n)
                others = {cell: amount for cell, amount in tried.totals[arm].items() if cell.metric != TOOLS}
                tried.totals[arm] = others | {Cell(TOOLS, used): sum_of(others, SESSIONS)}
            _, plan = tried.look()
            verdicts += [check.verdict for check in plan.status.checks]
        assert verdicts[-1] in {Verdict.WARN, Verdict.FAIL}

    def test_a_candidate_that_fails_every_other_look_is_found(self) -> None:
        """There, a look that doesn't fail forgets the ones that did."""
        tried = Tried.begun()
        for at in range(60):
            tried.add(STABLE, 20, 19)
            tried.add(CANDIDATE, 4, 4 if at % 2 else 2)
            decision, _ = tried.look(minutes=1)
            if isinstance(decision, Rollback):
                break
        assert isinstance(decision, Rollback)

    def test_the_gate_comes_before_the_share(self) -> None:
        """There, the weight is set and then the gate is asked."""
        tried = Tried.begun(strategy={"steps": [{"share": "5%", "soak": "1m"}]}, analysis=SUCCESS)
        for _ in range(40):
            tried.add(STABLE, 40, 39)
            tried.add(CANDIDATE, 10, 10)
            decision, plan = tried.look(minutes=1)
        assert isinstance(decision, AwaitApproval)
        assert plan.status.candidate is not None
        assert plan.status.candidate.share == 500

    def test_all_checks_are_asked_at_every_step(self) -> None:
        """There, steps are computed, never checked, and the last one promotes whatever was seen."""
        tried = Tried.begun(
            strategy={"steps": [{"share": "5%", "soak": "1m"}, {"share": "50%", "soak": "1m"}]}
        )
        for _ in range(5):
            tried.add(STABLE, 5, 5)
            tried.add(CANDIDATE, 5, 5)
            decision, _ = tried.look(minutes=1)
        assert isinstance(decision, Hold)
        assert decision.reason == "GatheringEvidence"


TOOLS, SESSIONS = "agent_session_tool_fraction_total", "agent_sessions_closed_total"
