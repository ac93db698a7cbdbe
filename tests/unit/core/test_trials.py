"""A rollout's trial from its spec and its evidence: what is history, what names its terms, and what the status keeps of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import TrialStatus
from agentrollouts.core.decision import Hold, Start
from agentrollouts.core.evidence import Arm
from agentrollouts.core.plan import PatchRolloutStatus
from agentrollouts.core.sequential.capped import CappedCost
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.trials import CHECKPOINT, Terms, advanced, lacking, recorded, resumed, terms_of
from tests.builders import START, UNAVAILABLE, installed, later, look, spec, step, version
from tests.sessions import CANDIDATE, CONTROL, SEQUENTIAL, STABLE, Tried, closed, told

SUCCESS = {"name": "success", "successRate": {}}
COST = {"name": "cost", "cost": {}}
DRY = {"name": "dry", "failureRate": {"max": "1%"}, "dryRun": True}


def analysed(*checks: dict[str, Any], **fields: Any) -> RolloutSpec:
    return spec("2.0.0", analysis={**SEQUENTIAL, "checks": list(checks)}, **fields)


def terms(*checks: dict[str, Any]) -> Terms:
    found = terms_of(analysed(*(checks or (SUCCESS, COST))), "2.0.0", "1.0.0")
    assert found is not None
    return found


class TestTerms:
    def test_the_error_budget_is_divided_by_weight_and_a_check_divides_its_part(self) -> None:
        limited = {"name": "success", "weight": 30, "successRate": {"min": "50%"}}
        found = terms(limited, COST | {"weight": 10})
        assert [(c.name, c.weight) for c in found.criteria] == [
            ("success", 0.375),
            ("success", 0.375),
            ("cost", 0.25),
        ]
        assert [type(c.measure) for c in found.criteria][::2] == [Success, CappedCost]

    @pytest.mark.parametrize("preset", ["default", "strict", "lowTraffic", "seed"])
    def test_the_weights_of_every_preset_sum_to_one(self, preset: str) -> None:
        found = terms_of(spec("2.0.0", analysis={"preset": preset, "mode": "sequential"}), "2.0.0", "1.0.0")
        assert found is not None
        assert sum(c.weight for c in found.criteria) == pytest.approx(1.0)

    def test_a_dry_run_has_no_part_of_it(self) -> None:
        assert [c.weight for c in terms(SUCCESS, DRY).criteria] == [1.0, 0.0]
        assert [c.weight for c in terms(DRY).criteria] == [0.0]

    def test_nothing_is_tried_in_threshold_mode_or_without_checks(self) -> None:
        assert terms_of(spec("2.0.0", analysis={"mode": "threshold"}), "2.0.0", "1.0.0") is None
        tuned = spec("2.0.0", analysis=SEQUENTIAL, strategy={"selfTuning": {}})
        assert terms_of(tuned, "2.0.0", "1.0.0") is None

    @pytest.mark.parametrize(
        "other",
        [
            terms(SUCCESS),
            terms(COST, SUCCESS),
            terms({"name": "success", "successRate": {"maxDrop": "6%"}}, COST),
            terms({"name": "success", "successRate": {"tolerance": "1%"}}, COST),
            terms(SUCCESS | {"weight": 50}, COST),
            terms(SUCCESS, COST | {"dryRun": True}),
            terms(SUCCESS | {"name": "another"}, COST),
            replace(terms(), candidate="2.0.1"),
            replace(terms(), stable="1.0.1"),
        ],
        ids=["fewer", "order", "margin", "tolerance", "weight", "dry run", "name", "candidate", "stable"],
    )
    def test_other_checks_margins_or_versions_are_other_terms(self, other: Terms) -> None:
        assert other.fingerprint != terms().fingerprint

    def test_another_event_under_the_same_name_is_another_term(self) -> None:
        one, other = (terms({"name": "x", "events": {"event": event}}) for event in ("refusal", "takeover"))
        assert one.criteria == other.criteria
        assert one.fingerprint != other.fingerprint

    @pytest.mark.parametrize(
        "fields",
        [
            {"strategy": {"steps": [{"share": "7%", "soak": "1m"}]}},
            {"approval": {"above": "20%"}},
            {"paused": True},
            {"rollback": {"coolDown": "3h"}},
        ],
        ids=str,
    )
    def test_nothing_else_changes_them(self, fields: dict[str, Any]) -> None:
        found = terms_of(analysed(SUCCESS, COST, **fields), "2.0.0", "1.0.0")
        assert found is not None
        assert found.fingerprint == terms().fingerprint

    def test_neither_the_error_budget_nor_how_often_one_looks_is_part_of_them(self) -> None:
        """The evidence stands as it is; only what is made of it changes."""
        other = {**SEQUENTIAL, "checks": [SUCCESS, COST], "interval": "30s", "minimumSessions": 5}
        found = terms_of(
            spec("2.0.0", analysis=other | {"errorBudget": {"falseRollback": "1%"}}), "2.0.0", "1.0.0"
        )
        assert found is not None
        assert found.fingerprint == terms().fingerprint


class TestHistory:
    def test_what_the_old_version_did_before_chooses_the_bets(self) -> None:
        """Before the candidate started, and from then to its first share; none of it is evidence."""
        before = {STABLE: closed(100, 90)}
        total = {STABLE: closed(60, 60), CONTROL: closed(40, 40), CANDIDATE: closed(7, 0)}
        trial = advanced(terms(SUCCESS), None, told(total, before))
        assert trial.courses[0].memory["n"] == 200
        assert trial.courses[0].memory["total"] == 190
        assert (trial.courses[0].blocks, trial.courses[0].worse) == (0, 0.0)
        assert trial.seen[0].candidate.n == 7
        assert advanced(terms(SUCCESS), trial, told(total, before)) == trial

    def test_another_version_is_none_of_it(self) -> None:
        before = {Arm("0.9.0", "stable"): closed(500, 0), Arm("2.0.0", "candidate"): closed(50, 0)}
        trial = advanced(terms(SUCCESS), None, told({CANDIDATE: closed(0)}, before))
        assert trial.courses[0].memory["n"] == 0

    def test_counters_without_a_cohort_count_once(self) -> None:
        total = {Arm("1.0.0", ""): closed(30), Arm("2.0.0", ""): closed(20), Arm("1.0.0", "none"): closed(99)}
        trial = advanced(terms(SUCCESS), None, told(total))
        assert [side.n for side in trial.seen[0]] == [20, 0, 30]

    def test_what_comes_before_the_first_share_is_history(self) -> None:
        tried = Tried.begun(history=100)
        assert tried.trial is not None
        assert tried.trial.courses[0].memory["n"] == 100
        tried.add(STABLE, 50)
        tried.add(CANDIDATE, 5)
        tried.look()
        assert tried.trial.courses[0].blocks == 1


class TestRecord:
    def ready(self) -> Tried:
        tried = Tried.begun(analysis={"checks": [SUCCESS]})
        tried.add(STABLE, 40, 39)
        tried.add(CANDIDATE, 4, 4)
        return tried

    def test_it_is_written_at_the_first_look(self) -> None:
        record = Tried.begun(analysis={"checks": [SUCCESS]}).record
        assert record is not None
        assert record.terms == terms(SUCCESS).fingerprint

    def test_it_is_gone_on_with_to_the_last_bit(self) -> None:
        tried = self.ready()
        tried.look(minutes=16)
        assert resumed(terms(SUCCESS), tried.record) == tried.trial

    def test_under_other_terms_it_counts_for_nothing(self) -> None:
        record = self.ready().record
        assert record is not None
        assert resumed(terms(SUCCESS), record) is not None
        assert resumed(terms(SUCCESS, COST), record) is None
        assert resumed(terms({"name": "success", "successRate": {"maxDrop": "6%"}}), record) is None
        assert resumed(terms(SUCCESS), None) is None
        assert resumed(terms(SUCCESS), record.model_copy(update={"state": record.state[:-1]})) is None
        assert (
            resumed(
                terms(SUCCESS, COST), TrialStatus(terms=terms().fingerprint, state=record.state, at=START)
            )
            is None
        )

    def test_a_hold_writes_nothing_until_the_next_checkpoint(self) -> None:
        tried = Tried.begun(
            analysis={"checks": [SUCCESS]}, strategy={"steps": [{"share": "5%", "soak": "5h"}]}
        )
        tried.add(STABLE, 40, 39)
        tried.look()
        for minute in range(1, 15):
            tried.add(CANDIDATE, 1, 1)
            tried.add(STABLE, 9, 9)
            decision, plan = tried.look(seconds=59)
            assert isinstance(decision, Hold)
            assert plan.actions == (), minute
        was = tried.record
        _, plan = tried.look(seconds=80)
        (write,) = plan.actions
        assert isinstance(write, PatchRolloutStatus)
        assert tried.record is not None
        assert was is not None
        assert tried.record.at - was.at >= CHECKPOINT
        assert tried.record.state != was.state

    def test_it_is_written_with_any_other_write(self) -> None:
        tried = self.ready()
        tried.add(CANDIDATE, 16, 13)  # a verdict changes
        _, plan = tried.look()
        (write,) = [action for action in plan.actions if isinstance(action, PatchRolloutStatus)]
        assert write.status.candidate is not None
        assert write.status.candidate.trial is not None
        assert resumed(terms(SUCCESS), write.status.candidate.trial) == tried.trial

    def test_a_trial_that_stands_still_is_not_written_again(self) -> None:
        tried = self.ready()
        tried.look(minutes=16)
        was = tried.record
        _, plan = tried.look(minutes=16)
        assert not any(
            action.status.candidate and action.status.candidate.trial is not was
            for action in plan.actions
            if isinstance(action, PatchRolloutStatus)
        )

    def test_there_is_none_before_the_first_share(self) -> None:
        s = step(installed(), spec=analysed(SUCCESS))
        assert s.status.candidate is not None
        s = replace(later(s, hours=1), evidence=told({STABLE: closed(9)}))
        assert recorded(s, writes=True) is None
        assert look(s)[1].status.candidate.trial is None

    def test_evidence_that_fails_leaves_the_record_alone(self) -> None:
        tried = self.ready()
        s = replace(later(tried.snapshot, hours=1), evidence=UNAVAILABLE)
        assert recorded(s, writes=True) is tried.record

    def test_another_try_has_none_of_it(self) -> None:
        tried = self.ready()
        s = tried.seen()
        other = replace(s, versions={**s.versions, "3.0.0": version("3.0.0", "c")})
        other = replace(other, spec=other.spec.model_copy(update={"version": "3.0.0"}))
        decision, plan = look(other)
        assert isinstance(decision, Start)
        assert plan.status.candidate is not None
        assert (plan.status.candidate.version, plan.status.candidate.trial) == ("3.0.0", None)

    def test_a_rollback_takes_it_along(self) -> None:
        tried = self.ready()
        tried.add(CANDIDATE, 40, 0)
        tried.look()
        assert tried.snapshot.status.candidate is None


def test_all_that_is_lacking_is_told_for_each_criterion() -> None:
    found = lacking(terms(), told({CANDIDATE: closed(1), CONTROL: {}, STABLE: closed(1)}))
    assert found == ("", "")
    found = lacking(terms(), told({CANDIDATE: closed(1), CONTROL: closed(1)}))
    assert found == ("", "")
    found = lacking(terms(), told({CANDIDATE: closed(1)}))
    assert found == ("the old version doesn't report agent_sessions_closed_total",) * 2
    assert lacking(terms(), told({}))[0] == "the candidate doesn't report agent_sessions_closed_total"


def test_gathering_evidence_is_not_missing_evidence() -> None:
    tried = Tried.begun(
        strategy={"steps": [{"share": "5%", "soak": "1m", "minimumSessions": 0}]},
        analysis={"checks": [SUCCESS]},
    )
    tried.add(STABLE, 40, 39)
    tried.add(CANDIDATE, 1, 1)
    for hours in (1, 30):
        decision, _ = tried.look(hours=hours)
        assert isinstance(decision, Hold)
        assert (decision.reason, decision.no_evidence) == ("GatheringEvidence", False)


@pytest.mark.parametrize("sessions", [0, 1])
def test_sessions_that_stop_coming_are_missing_evidence(sessions: int) -> None:
    """Little traffic adds up; none for half of the deadline starts its clock, whatever came before."""
    tried = Tried.begun(
        analysis={"checks": [SUCCESS], "minimumSessions": 5},
        strategy={"steps": [{"share": "5%", "soak": "1m"}]},
    )
    tried.add(STABLE, 40, 39)
    tried.add(CANDIDATE, sessions, sessions)
    decision, _ = tried.look(minutes=2)
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.no_evidence) == ("TooFewSamples", sessions == 0)
    tried.grew = tried.snapshot.now.timestamp()
    decisions = [tried.look(minutes=20)[0] for _ in range(6)]
    assert [type(decision).__name__ for decision in decisions][-1] == "Pause"
    assert decisions[-1].reason == "NoEvidence"


def test_a_check_that_nobody_measures_is() -> None:
    unknown = {"name": "kind", "score": {"name": "kindness", "better": "higher"}}
    tried = Tried.begun(
        strategy={"steps": [{"share": "5%", "soak": "1m", "minimumSessions": 0}]},
        analysis={"checks": [SUCCESS, unknown]},
    )
    tried.add(STABLE, 400, 390)
    tried.add(CANDIDATE, 400, 396)
    decision, _ = tried.look(hours=1)
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.no_evidence) == ("ChecksInconclusive", True)
    assert 'agent_session_scores_total{score="kindness"}' in decision.message
    decision, _ = tried.look(hours=2)
    assert decision.reason == "NoEvidence"  # the deadline has passed


def test_samples_are_named_as_what_they_are() -> None:
    tried = Tried.begun(strategy={"steps": [{"share": "5%", "soak": "1m", "minimumSessions": 30}]})
    tried.add(CANDIDATE, 29, 29)
    tried.add(STABLE, 29, 29)
    decision, _ = tried.look(hours=1)
    assert (decision.reason, decision.message) == ("TooFewSamples", "30 sessions needed at 5%")
