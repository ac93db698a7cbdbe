"""What an opinion may do to a decision, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from agentrollouts.api.advisor import AdvisorUsage
from agentrollouts.core import advice
from agentrollouts.core.advice import UNDECIDED, recorded, wanted, weigh
from agentrollouts.core.analysis import run_checks
from agentrollouts.core.decide import decide
from agentrollouts.core.decision import Advance, Decision, Hold, Pause, Promote, Rollback, Start
from agentrollouts.core.gates import gate_state
from agentrollouts.core.opinion import Answer, NoOpinion, Opinion, Subject
from agentrollouts.core.planner import make_plan, settled
from agentrollouts.core.snapshot import Snapshot
from tests.builders import START, candidate_share, carry_out, climbing, good, later, step, version

HOLD, PROCEED = Opinion("hold", 9_000, "wait"), Opinion("proceed", 9_000, "fine")
ROLLBACK = Opinion("rollback", 9_000, "harm")


def ripe(**advisor: Any) -> Snapshot:
    """2.0.0 has 5%, and has earned its next step, 20%."""
    return replace(later(climbing(advisor={"model": "m", **advisor}), minutes=16), evidence=good(500))


def used(at: datetime = START, tokens: int = 0) -> AdvisorUsage:
    return AdvisorUsage(day=f"{at:%Y-%m-%d}", tokens=tokens, at=at)


def before(s: Snapshot) -> Decision:
    """The decision without the advisor."""
    s = settled(s)
    return decide(s, run_checks(s), gate_state(s))


def hear(s: Snapshot, said: Opinion | NoOpinion, subject: Subject | None = None) -> Snapshot:
    """The snapshot when the advisor has just answered."""
    subject = subject or wanted(s, before(s))
    assert subject is not None, "nobody asked"
    return replace(s, answer=Answer(subject, s.now, said, used(s.now)))


def look(s: Snapshot) -> tuple[Decision, Snapshot]:
    """One tick with the advisor: its decision, and the snapshot after it."""
    s = settled(s)
    results, gate = run_checks(s), gate_state(s)
    decision = weigh(s, decide(s, results, gate))
    return decision, carry_out(s, make_plan(s, results, gate, decision))


def test_it_is_asked_before_the_candidate_grows_and_about_nothing_else() -> None:
    s = ripe()
    assert isinstance(before(s), Advance)
    assert wanted(s, before(s)) == Subject(1, 1, 2_000)
    for other in (Hold("Soaking"), Pause("Paused"), Rollback("CheckFailed"), Advance(2, 500, 1, "Floor")):
        assert wanted(s, other) is None
        assert weigh(s, other) is other
    assert wanted(s, Promote("Approved")) == Subject(1, 1, 10_000)


def test_nobody_is_asked_without_an_advisor() -> None:
    s = replace(later(climbing(), minutes=16), evidence=good(500))
    decision = before(s)
    assert wanted(s, decision) is None
    assert weigh(hear(s, HOLD, Subject(1, 1, 2_000)), decision) is decision


def test_the_candidate_waits_for_the_answer() -> None:
    decision, s = look(ripe())
    assert isinstance(decision, Hold)
    assert decision.reason == "AskingAdvisor"
    assert candidate_share(s) == 500


@pytest.mark.parametrize(
    "said",
    [
        PROCEED,
        *(NoOpinion(p, "why") for p in ("Timeout", "Refused", "Nonsense", "BudgetSpent", "NotConfigured")),
    ],
    ids=lambda said: getattr(said, "problem", "proceed"),
)
def test_proceed_and_no_opinion_let_it_go_on_and_are_recorded(said: Opinion | NoOpinion) -> None:
    decision, s = look(hear(ripe(), said))
    assert candidate_share(s) == 2_000
    assert said.reason in decision.message
    assert s.status.candidate is not None
    assert s.status.candidate.advice is not None
    assert s.status.candidate.advice.outcome == advice.outcome_of(said)


def test_a_hold_lasts_and_is_not_asked_about_again_even_after_a_restart() -> None:
    decision, s = look(hear(ripe(holdFor="10m"), HOLD))
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.until) == ("AdvisorHolds", s.now + timedelta(minutes=10))
    restarted = replace(later(s, minutes=9), answer=None)
    assert wanted(restarted, before(restarted)) is None
    held, _ = look(restarted)
    assert isinstance(held, Hold)
    assert held.reason == "AdvisorHolds"
    over = later(restarted, minutes=1)
    assert wanted(over, before(over)) == Subject(1, 1, 2_000)


def test_it_changes_its_mind() -> None:
    _, s = look(hear(ripe(), HOLD))
    _, s = look(hear(later(s, minutes=10), PROCEED))
    assert candidate_share(s) == 2_000


@pytest.mark.parametrize("most", [0, 1, 3])
def test_after_so_many_holds_a_person_is_asked(most: int) -> None:
    s, seen = ripe(maxHolds=most), []
    for _ in range(most + 1):
        decision, s = look(hear(s, HOLD))
        seen.append(decision.reason)
        s = replace(later(s, minutes=10), answer=None)
    assert seen == ["AdvisorHolds"] * most + [UNDECIDED]
    assert s.status.phase == "Paused"
    assert 'agentrollouts.io/resume="$(date +%s)"' in s.status.message
    decision, s = look(later(s, hours=5))
    assert isinstance(decision, Pause)
    assert candidate_share(s) == 500


def undecided() -> Snapshot:
    """A person has to decide."""
    _, s = look(hear(ripe(maxHolds=0), HOLD))
    assert s.status.phase == "Paused"
    return replace(s, answer=None)


def resume(s: Snapshot) -> Snapshot:
    return replace(s, requests=replace(s.requests, resume="1"))


def test_a_person_overrules_it() -> None:
    decision, s = look(resume(undecided()))
    assert isinstance(decision, Advance)
    assert candidate_share(s) == 2_000
    asked_next = replace(later(s, minutes=31), evidence=good(3_000))
    assert wanted(asked_next, before(asked_next)) == Subject(1, 2, 5_000), (
        "about the next step, it is asked again"
    )


def test_it_stays_overruled_when_something_else_holds_at_that_moment() -> None:
    s = resume(undecided())
    crowded = {**s.versions, "2.0.0": replace(s.versions["2.0.0"], workload=None)}
    decision, s = look(replace(s, versions=crowded))
    assert isinstance(decision, Hold)
    assert decision.reason == "WaitingForPods"
    s = replace(later(s, hours=1), versions=undecided().versions)
    assert wanted(s, before(s)) is None
    decision, s = look(s)
    assert isinstance(decision, Advance)


def test_a_pause_by_a_person_does_not_overrule_it() -> None:
    s = undecided()
    _, s = look(replace(s, requests=replace(s.requests, paused=True)))
    decision, _ = look(replace(s, requests=replace(s.requests, paused=False)))
    assert isinstance(decision, Pause)
    assert decision.reason == UNDECIDED


def test_a_rollback_needs_leave_and_confidence() -> None:
    for fields, said, expected in (
        ({"mayRollback": True}, ROLLBACK, Rollback),
        ({"mayRollback": True, "minimumConfidence": "90%"}, ROLLBACK, Rollback),
        ({"mayRollback": True, "minimumConfidence": "90.01%"}, ROLLBACK, Hold),
        ({"mayRollback": False}, ROLLBACK, Hold),
        ({"mayRollback": True}, HOLD, Hold),
    ):
        decision, s = look(hear(ripe(**fields), said))
        assert isinstance(decision, expected), fields
        assert candidate_share(s) == (0 if expected is Rollback else 500)
        if expected is Rollback:
            assert s.status.rejected is not None
            assert s.status.rejected.reason == "AdvisorRollback"
            assert "harm" in s.status.rejected.message


def test_an_old_rollback_opinion_takes_nobody_out() -> None:
    _, s = look(hear(ripe(mayRollback=False, maxHolds=0), ROLLBACK))
    allowed = s.spec.advisor.model_copy(update={"may_rollback": True})  # type: ignore[union-attr]
    s = replace(s, answer=None, spec=s.spec.model_copy(update={"advisor": allowed}))
    unpaused = s.status.candidate.model_copy(update={"paused_reason": ""})  # type: ignore[union-attr]
    s = replace(s, status=s.status.model_copy(update={"candidate": unpaused}))
    decision, _ = look(later(s, minutes=11))
    assert isinstance(decision, Pause)


def test_an_answer_about_something_else_is_not_listened_to() -> None:
    for subject in (Subject(2, 1, 2_000), Subject(1, 0, 500), Subject(1, 1, 5_000), Subject(1, 2, 2_000)):
        decision, s = look(hear(ripe(), PROCEED, subject))
        assert isinstance(decision, Hold), subject
        assert candidate_share(s) == 500


def test_an_answer_from_before_the_candidate_began_is_not_listened_to() -> None:
    s = ripe()
    old = Answer(Subject(1, 1, 2_000), s.now - timedelta(hours=1), PROCEED, used())
    assert recorded(replace(s, answer=old)) is None


def test_the_same_answer_counts_once_however_often_it_is_seen() -> None:
    s = hear(ripe(), HOLD)
    for _ in range(3):
        _, s = look(s)
    assert s.status.candidate is not None
    assert s.status.candidate.advice is not None
    assert s.status.candidate.advice.holds == 1
    _, after = look(s)
    assert after.status is s.status, "and writes nothing"


def test_an_opinion_survives_a_lost_status_write() -> None:
    s = hear(ripe(), PROCEED)
    decision = weigh(s, before(s))
    plan = make_plan(s, run_checks(s), gate_state(s), decision)
    crashed = replace(carry_out(s, plan, upto=1), answer=None)
    _, s = look(crashed)
    assert candidate_share(s) == 2_000
    assert s.status.candidate is not None
    assert s.status.candidate.share == 2_000


def test_the_opinion_of_one_candidate_is_not_kept_for_the_next() -> None:
    _, s = look(hear(ripe(), HOLD))
    s = replace(s, spec=s.spec.model_copy(update={"version": "1.0.0"}), answer=None)
    _, s = look(s)
    s = step(s, spec=s.spec.model_copy(update={"version": "2.0.0"}))
    assert s.status.candidate is not None
    assert s.status.candidate.advice is None


def test_nor_for_one_that_takes_its_place_at_once() -> None:
    s = hear(ripe(), HOLD)
    _, s = look(s)
    s = replace(s, versions={**s.versions, "2.1.0": version("2.1.0", "c")})
    decision, s = look(replace(s, spec=s.spec.model_copy(update={"version": "2.1.0"})))
    assert isinstance(decision, Start)
    assert s.status.candidate is not None
    assert (s.status.candidate.version, s.status.candidate.advice) == ("2.1.0", None)


def test_usage_adds_up_over_a_day_and_begins_anew_with_the_next() -> None:
    s = ripe()
    s = replace(s, answer=Answer(Subject(1, 1, 2_000), s.now, HOLD, advice.usage_after(s, 700, s.now)))
    _, s = look(s)
    assert s.status.advisor_usage is not None
    assert s.status.advisor_usage.tokens == 700
    s = replace(s, answer=None)
    assert advice.usage_after(s, 50, s.now).tokens == 750
    assert advice.usage_after(s, 50, s.now + timedelta(days=1)).tokens == 50


def test_what_an_advisor_writes_is_cut_and_cannot_forge_lines() -> None:
    nasty = "ok\n\x1b[31mapprove it\u202e\U000e0041" + "x" * 9_000
    said = Opinion("hold", 99_999, nasty, tuple(nasty for _ in range(50)))
    decision, s = look(hear(ripe(), said))
    assert s.status.candidate is not None
    kept = s.status.candidate.advice
    assert kept is not None
    assert (kept.confidence, len(kept.evidence)) == (10_000, 5)
    assert kept.reason.startswith("ok [31mapprove itxxx")
    assert len(kept.reason) <= 1_000
    assert all(c.isprintable() for c in decision.message)
    assert type(s.status).model_validate(s.status.model_dump(mode="json", by_alias=True)) == s.status
