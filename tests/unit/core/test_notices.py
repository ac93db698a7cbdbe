"""What people are told: which happenings, with what in them, once each, and never more than there is room for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from agentrollouts.api.notify import WAITING, Happening, NoticesStatus, NoticeStatus
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.decide import decide
from agentrollouts.core.decision import Rollback
from agentrollouts.core.gates import gate_state
from agentrollouts.core.plan import Emit, PatchRolloutStatus, SetRoute
from agentrollouts.core.planner import make_plan
from agentrollouts.core.snapshot import Requests, Snapshot
from tests.builders import (
    AT_ONCE,
    UNAVAILABLE,
    carry_out,
    climbing,
    digest,
    evidence,
    good,
    installed,
    later,
    look,
    snapshot,
    spec,
    step,
    version,
)

EVERYTHING = list(get_args(Happening))
ALL: dict[str, Any] = {"notify": [{"name": "all", "on": EVERYTHING, "webhook": {"ref": "oncall"}}]}
USUAL: dict[str, Any] = {"notify": [{"name": "usual", "slack": {"ref": "team"}}]}


def pending(s: Snapshot) -> tuple[NoticeStatus, ...]:
    return s.status.notices.pending if s.status.notices else ()


def told(s: Snapshot) -> list[str]:
    return [notice.happening for notice in pending(s)]


def delivered(s: Snapshot) -> Snapshot:
    """The shell has delivered all that waits, and a tick has seen it."""
    done = step(s, delivered=frozenset(notice.id for notice in pending(s)))
    return replace(done, delivered=frozenset())


def on_its_way(**fields: Any) -> Snapshot:
    """2.0.0 has 5%, and what was told of that is delivered."""
    return delivered(climbing(**{**ALL, **fields}))


def aborted(s: Snapshot) -> Snapshot:
    return step(s, requests=Requests(abort="now"))


def test_nobody_is_told_anything_unless_the_spec_says_so() -> None:
    s = aborted(climbing())
    assert s.status.notices is None
    assert s.status.rejected is not None


def test_a_rollout_and_its_end() -> None:
    s = climbing(**ALL)
    assert told(s) == ["Started", "Advanced"]
    s = aborted(delivered(s))
    (notice,) = pending(s)
    assert (notice.happening, notice.reason, notice.to) == ("RolledBack", "Aborted", ("all",))
    assert (notice.candidate, notice.candidate_digest) == ("2.0.0", digest("b"))
    assert (notice.stable, notice.stable_digest) == ("1.0.0", digest("a"))
    assert (notice.share_before, notice.share_after, notice.attempt) == (500, 0, 1)
    assert notice.message == "aborted by request (now)"
    assert notice.changed == ("code",)
    assert notice.id == "u-1.1.RolledBack"


def test_a_step_tells_where_from_and_where_to() -> None:
    s = on_its_way()
    s = step(later(s, hours=1), evidence=good(500, later(s, hours=1).now))
    (notice,) = pending(s)
    assert (notice.happening, notice.share_before, notice.share_after) == ("Advanced", 500, 2_000)


def test_each_step_has_an_identity_of_its_own() -> None:
    first = climbing(**ALL)
    s = delivered(first)
    s = step(later(s, hours=1), evidence=good(500, later(s, hours=1).now))
    assert len({notice.id for notice in (*pending(first), *pending(s))}) == 3


def test_only_what_was_asked_for() -> None:
    s = climbing(notify=[*USUAL["notify"], {"name": "ends", "on": ["Promoted"], "webhook": {"ref": "x"}}])
    assert told(s) == []
    (notice,) = pending(aborted(s))
    assert (notice.happening, notice.to) == ("RolledBack", ("usual",))


def waiting_for_approval(**fields: Any) -> Snapshot:
    """2.0.0 has its last share below 100%, and somebody must say yes."""
    s = on_its_way(**fields)
    for n in (500, 5_000, 50_000):
        s = later(s, hours=2)
        s = step(s, evidence=good(n, s.now))
    assert s.status.phase == "AwaitingApproval", s.status.decision
    return s


def test_approval_is_asked_for_once_however_often_something_comes_between() -> None:
    s = waiting_for_approval(**USUAL)
    (notice,) = pending(s)
    assert (notice.happening, notice.share_before, notice.share_after) == ("ApprovalNeeded", 5_000, 5_000)
    s = delivered(s)
    assert told(s) == []
    s = step(later(s, seconds=2), evidence=UNAVAILABLE)
    assert s.status.phase == "Progressing"
    s = step(later(s, seconds=2), evidence=good(60_000, s.now))
    assert s.status.phase == "AwaitingApproval"
    assert told(s) == []


def test_a_rollout_stays_with_its_status_while_it_waits() -> None:
    s = delivered(waiting_for_approval(**USUAL))
    _, plan = look(later(s, seconds=2))
    assert not [action for action in plan.actions if isinstance(action, PatchRolloutStatus)]


def test_a_notifier_that_comes_later_is_told_of_what_still_is() -> None:
    s = waiting_for_approval(notify=[])
    assert told(s) == []
    assert told(step(s, spec=s.spec.model_copy(update={"notify": spec(**USUAL).notify}))) == [
        "ApprovalNeeded"
    ]


def blind(s: Snapshot, **delta: float) -> Snapshot:
    """No evidence, until the operator pauses."""
    s = step(later(s, seconds=2), evidence=UNAVAILABLE)
    return step(later(s, **delta), evidence=UNAVAILABLE)


def test_a_pause_is_told_and_told_again_only_after_somebody_resumed() -> None:
    s = blind(climbing(**USUAL), hours=2)
    assert [(n.happening, n.reason) for n in pending(s)] == [("Paused", "NoEvidence")]
    s = delivered(s)
    assert told(step(later(s, hours=1))) == []
    s = step(s, requests=Requests(resume="go on\n…"), evidence=good(50, s.now))
    assert s.status.phase != "Paused"
    s = blind(s, hours=2)
    assert told(s) == ["Paused"]
    assert all(notice.id.isascii() and notice.id.isprintable() for notice in pending(s))


def test_a_pause_of_a_persons_is_told_once() -> None:
    s = step(climbing(**USUAL), requests=Requests(paused=True))
    assert [(n.happening, n.reason, n.share_after) for n in pending(s)] == [("Paused", "Paused", 500)]
    s = step(delivered(s), requests=Requests(paused=True, resume="1"))
    s = step(later(s, seconds=2), requests=Requests(paused=True, resume="1"))
    assert told(s) == []


def test_being_stalled_names_the_version_that_cannot_come() -> None:
    s = step(installed(), spec=spec("3.0.0", **ALL))
    (notice,) = pending(s)
    assert (notice.happening, notice.reason) == ("Stalled", "VersionNotFound")
    assert (notice.candidate, notice.candidate_digest, notice.changed) == ("3.0.0", "", None)
    s = step(delivered(s), spec=spec("4.0.0", **ALL))
    assert [notice.candidate for notice in pending(s)] == ["4.0.0"]


def promoted() -> Snapshot:
    s = waiting_for_approval(**ALL)
    s = delivered(s)
    assert s.gate is not None
    answered = replace(s.gate, approve="true", approved_by=("ann",))
    return step(later(s, seconds=2), gate=answered)


def test_a_promotion_and_its_undoing() -> None:
    s = promoted()
    (notice,) = pending(s)
    assert (notice.happening, notice.candidate, notice.stable) == ("Promoted", "2.0.0", "1.0.0")
    assert (notice.share_before, notice.share_after) == (5_000, 10_000)
    s = step(delivered(s), requests=Requests(undo="1"))
    (notice,) = pending(s)
    assert (notice.happening, notice.candidate, notice.stable) == ("Undone", "2.0.0", "1.0.0")
    assert (notice.candidate_digest, notice.stable_digest) == (digest("b"), digest("a"))
    assert (notice.share_before, notice.share_after, notice.changed) == (10_000, 0, ("code",))


def test_an_undo_that_outran_the_promotions_report_is_about_the_promoted_version() -> None:
    s = delivered(waiting_for_approval(**ALL))
    assert s.gate is not None
    asked = replace(s, gate=replace(s.gate, approve="true", approved_by=("ann",)))
    _, plan = look(asked)
    route_only = carry_out(asked, plan, upto=1)
    _, undo = look(replace(route_only, requests=Requests(undo="1"), gate=None))
    only_route = carry_out(route_only, replace(undo, actions=undo.actions[:1]))
    (notice,) = pending(step(replace(only_route, gate=None)))
    assert (notice.happening, notice.candidate, notice.stable) == ("Undone", "2.0.0", "1.0.0")


def bad(s: Snapshot) -> Snapshot:
    """The candidate fails its check now."""
    counts = {
        ("2.0.0", "candidate"): (50, 450),
        ("1.0.0", "control"): (500, 0),
        ("1.0.0", "stable"): (500, 0),
    }
    return replace(later(s, minutes=1), evidence=evidence(counts, s.now))


def test_a_rollback_says_which_checks_failed_with_their_numbers() -> None:
    s = step(bad(on_its_way(analysis=AT_ONCE)))
    (notice,) = pending(s)
    assert (notice.happening, notice.reason) == ("RolledBack", "CheckFailed")
    failed = [finding for finding in notice.findings if finding.verdict == "FAIL"]
    assert [finding.name for finding in failed] == ["success"]
    assert "500" in failed[0].reason
    assert notice.findings[0] is failed[0], "what failed comes first"
    assert not [finding for finding in notice.findings if finding.verdict == "PASS"]


def test_a_breaker_that_tripped_is_a_finding() -> None:
    breakers = [{"name": "errors", "errors": {"max": "50%"}}]
    s = step(bad(on_its_way(analysis={"breakers": breakers})))
    (notice,) = pending(s)
    assert (notice.reason, notice.findings[0].name) == ("BreakerTripped", "errors")
    assert notice.findings[0].verdict == "Tripped"


def test_a_decision_that_waits_for_no_evidence_tells_what_was_last_known() -> None:
    s = on_its_way(analysis={"failures": {"consecutive": 3, "every": "1s"}})
    s = step(bad(s))
    assert s.status.candidate is not None
    s = replace(s, evidence=UNAVAILABLE, requests=Requests(abort="now"))
    gate = gate_state(s)
    s = carry_out(s, make_plan(s, (), gate, decide(s, (), gate)))
    (notice,) = pending(s)
    assert [finding.name for finding in notice.findings if finding.verdict == "FAIL"] == ["success"]


@pytest.mark.parametrize("upto", [0, 1, 2, 3])
def test_a_crash_at_any_moment_of_a_rollback_neither_loses_nor_doubles_its_notice(upto: int) -> None:
    s = replace(on_its_way(), requests=Requests(abort="now"))
    decision, plan = look(s)
    assert isinstance(decision, Rollback)
    assert isinstance(plan.actions[0], SetRoute)
    whole = carry_out(s, plan)
    s = carry_out(s, plan, upto=upto)
    assert told(s) == ([] if upto < 2 else ["RolledBack"]), (
        "written with the decision, never before the route"
    )
    for _ in range(3):
        s = step(later(s, seconds=1))
    assert [n.id for n in pending(s)] == [n.id for n in pending(whole)]
    assert pending(s)[0].share_before == 500
    assert pending(s)[0].message == pending(whole)[0].message


def test_a_crash_before_the_next_decision_takes_the_routes_place_keeps_both_notices() -> None:
    """The decision that was never reported is reported with its notice, before the next one takes its place on the route."""
    s = replace(installed(), spec=spec("2.0.0", **ALL))
    _, start = look(s)
    s = later(carry_out(s, start, upto=1), seconds=2)
    _, advance = look(s)
    kinds = [type(action) for action in advance.actions[:2]]
    assert kinds == [PatchRolloutStatus, SetRoute]
    s = carry_out(s, advance, upto=2)  # and the operator dies again, before the Advance is reported
    s = step(later(s, seconds=2))
    assert told(s) == ["Started", "Advanced"]


def test_what_is_delivered_leaves_the_status_with_one_write_and_does_not_come_back() -> None:
    s = aborted(on_its_way())
    done = replace(s, delivered=frozenset(notice.id for notice in pending(s)))
    _, plan = look(done)
    assert [type(action) for action in plan.actions] == [PatchRolloutStatus]
    s = carry_out(done, plan)
    assert s.status.notices is None
    _, plan = look(s)
    assert plan.actions == ()


def test_a_notifier_that_is_gone_waits_for_nothing() -> None:
    two = [{"name": name, "on": EVERYTHING, "webhook": {"ref": name}} for name in ("one", "two")]
    s = aborted(delivered(climbing(notify=two)))
    assert pending(s)[0].to == ("one", "two")
    s = step(s, spec=s.spec.model_copy(update={"notify": s.spec.notify[1:]}))
    assert pending(s)[0].to == ("two",)
    s = step(s, spec=s.spec.model_copy(update={"notify": ()}))
    assert s.status.notices is None


def test_when_too_much_waits_the_least_important_makes_room_and_it_is_said() -> None:
    s = aborted(climbing(**ALL))
    for number in range(WAITING + 4):
        s = step(later(s, hours=1), spec=spec(f"9.0.{number}", **ALL), requests=Requests())
    assert len(pending(s)) == WAITING
    assert "Started" not in told(s)
    before = pending(s)
    _, plan = look(replace(later(s, hours=1), spec=spec("9.9.9", **ALL)))
    (event,) = [a for a in plan.actions if isinstance(a, Emit) and a.reason == "NotificationFailed"]
    assert before[0].candidate in event.message
    assert event.type == "Warning"
    after = RolloutStatus.model_validate(
        plan.status.model_dump(mode="json", by_alias=True) if plan.status else {}
    )
    assert after == plan.status, "it is what the status can hold"


def test_what_has_to_be_acted_on_outlasts_what_has_not() -> None:
    s = aborted(on_its_way())
    (rollback,) = pending(s)
    moves = tuple(
        rollback.model_copy(update={"id": f"m{n}", "happening": "Advanced"}) for n in range(WAITING - 1)
    )
    full = s.status.model_copy(update={"notices": NoticesStatus(pending=(rollback, *moves))})
    s = step(replace(s, status=full), spec=spec("9.0.0", **ALL), requests=Requests())
    assert [notice.id for notice in pending(s)][:2] == [rollback.id, "m1"]
    assert told(s)[-1] == "Stalled"


def test_what_was_told_is_remembered_for_one_attempt() -> None:
    s = delivered(waiting_for_approval(**ALL))
    assert s.status.notices is not None
    assert s.status.notices.told == ("u-1.1.ApprovalNeeded",)
    versions = {**s.versions, "2.1.0": version("2.1.0", "c")}
    s = delivered(step(replace(s, versions=versions), spec=spec("2.1.0", **ALL)))
    assert s.status.candidate is not None
    assert s.status.candidate.attempt == 2
    assert s.status.notices is None or s.status.notices.told == ()


def test_text_of_others_is_one_bounded_line() -> None:
    evil = "now\u202e <!channel>\n\n" + "x" * 5_000
    candidate = version("2.0.0", "b")
    lineage = candidate.lineage.model_copy(update={"rationale": evil})
    s = on_its_way()
    s = replace(s, versions={**s.versions, "2.0.0": replace(candidate, lineage=lineage)})
    (notice,) = pending(step(s, requests=Requests(abort=evil[:256])))
    for text in (notice.message, notice.rationale):
        assert "now <!channel> xxx" in text
        assert len(text) <= 1_024
    assert len(notice.rationale) == 256
    NoticeStatus.model_validate(notice.model_dump(mode="json", by_alias=True))


def test_another_version_of_the_same_name_is_not_described() -> None:
    s = on_its_way()
    s = step(replace(s, versions={**s.versions, "2.0.0": version("2.0.0", "c")}))
    (notice,) = pending(s)
    assert (notice.reason, notice.candidate_digest, notice.changed) == ("DigestChanged", digest("b"), None)


def test_a_first_version_is_nothing_to_tell() -> None:
    assert told(step(snapshot(spec=spec(**ALL)))) == []
