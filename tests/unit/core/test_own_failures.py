"""Queries of the user's own in both modes: how failures add up, and that nobody's error budget pays for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from agentrollouts.core.analysis import queries, run_checks, sample_metric
from agentrollouts.core.checks import Verdict
from agentrollouts.core.decision import Decision, Hold, Rollback
from agentrollouts.core.evidence import Arm, Asked, Unavailable
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.trials import terms_of
from tests.builders import carry_out, climbing, good, later, look, spec
from tests.sessions import CANDIDATE, CONTROL, SEQUENTIAL, STABLE, Tried, closed, told

QUERY = "max by (namespace, agent, version, cohort) (queue)"
SUCCESS = {"name": "success", "successRate": {}}
EVERY_MINUTE = {"every": "60s", "consecutive": 3, "atLeast": 4, "outOf": 6}
NO_SOAK = {"steps": [{"share": "5%", "soak": "0s"}, {"share": "50%", "soak": "0s"}]}
FINE, BAD, UNKNOWN = 1.0, 99.0, None


def queue(name: str = "queue", *, on_failure: str = "Rollback", **more: Any) -> dict[str, Any]:
    return {"name": name, "promql": {"query": QUERY, "max": 10, "onFailure": on_failure}, **more}


@dataclass
class Watched:
    """A rollout in sequential mode whose queries answer as a test says."""

    tried: Tried

    @classmethod
    def by(
        cls, *checks: dict[str, Any], failures: dict[str, Any] | None = None, sessions: int = 40
    ) -> Watched:
        analysis = {"checks": [SUCCESS, *checks], "failures": failures or EVERY_MINUTE}
        tried = Tried.begun(analysis=analysis, strategy=NO_SOAK)
        for arm in (CANDIDATE, CONTROL, STABLE):
            tried.add(arm, sessions)
        return cls(tried)

    def look(
        self, seconds: float = 60, *, asked_ago: float = 0, split: float = 0, **values: float | None
    ) -> Decision:
        """One look later on, carried out; a value of None is one that can't be read."""
        tried = self.tried
        tried.snapshot = later(tried.snapshot, seconds=seconds)
        at = later(tried.snapshot, seconds=-asked_ago).now
        seen = tried.seen()
        assert not isinstance(seen.evidence, Unavailable)
        asked = {
            name: Unavailable("parse error")
            if value is None
            else Asked({Arm("2.0.0", "candidate"): (value,)}, at)
            for name, value in values.items()
        }
        trial = seen.evidence.trial
        assert trial is not None
        if split:
            broken = trial.split._replace(won=split, assigned=(3, 1, 18), shares=(0.05, 0.05, 0.9))
            trial = trial._replace(split=broken)
        seen = replace(seen, evidence=replace(seen.evidence, asked=asked, trial=trial))
        decision, plan = look(seen)
        tried.snapshot = carry_out(seen, plan)
        return decision

    def looks(self, name: str = "queue") -> list[str]:
        candidate = self.tried.snapshot.status.candidate
        assert candidate is not None
        rings = {ring.name: ring.looks for ring in candidate.check_looks}
        return [each.verdict for each in rings.get(name, ())]


def verdict(snapshot: Snapshot, name: str) -> str:
    return next(check.verdict for check in snapshot.status.checks if check.name == name)


def test_three_failed_looks_in_a_row_take_the_candidate_out_with_a_reason_of_its_own() -> None:
    watched = Watched.by(queue())
    assert isinstance(watched.look(queue=BAD), Hold)
    assert isinstance(watched.look(queue=BAD), Hold)
    assert watched.looks() == ["FAIL", "FAIL"]
    decision = watched.look(queue=BAD)
    assert isinstance(decision, Rollback)
    assert decision.reason == "QueryFailed"
    assert decision.message == "queue: 3 of the last 3 looks failed: 99, at most 10"
    rejected = watched.tried.snapshot.status.rejected
    assert rejected is not None
    assert rejected.reason == "QueryFailed"


def test_a_pass_ends_a_row_and_four_of_six_still_take_it_out() -> None:
    watched = Watched.by(queue())
    for value in (BAD, BAD, FINE, BAD, FINE):
        assert not isinstance(watched.look(queue=value), Rollback)
    decision = watched.look(queue=BAD)
    assert isinstance(decision, Rollback)
    assert "4 of the last 6 looks failed" in decision.message


def test_a_look_counts_once_in_every_and_an_unknown_one_for_nothing() -> None:
    watched = Watched.by(queue())
    for seconds, value in ((60, BAD), (20, BAD), (20, BAD), (60, UNKNOWN), (60, BAD), (60, UNKNOWN)):
        assert not isinstance(watched.look(seconds, queue=value), Rollback)
    assert watched.looks() == ["FAIL", "FAIL"]
    assert isinstance(watched.look(queue=BAD), Rollback)


def test_the_same_answer_counts_once() -> None:
    watched = Watched.by(queue(), failures={"every": "1s", "consecutive": 2})
    assert not isinstance(watched.look(2, queue=BAD), Rollback)
    for ago in (2.0, 4.0, 6.0):
        assert not isinstance(watched.look(2, queue=BAD, asked_ago=ago), Rollback)
    assert watched.looks() == ["FAIL"]
    assert isinstance(watched.look(2, queue=BAD, asked_ago=1), Rollback)


def test_failures_of_two_checks_dont_add_up() -> None:
    watched = Watched.by(queue(), queue("judge"))
    for values in (
        {"queue": BAD, "judge": FINE},
        {"queue": FINE, "judge": BAD},
        {"queue": BAD, "judge": FINE},
    ):
        assert not isinstance(watched.look(**values), Rollback)
    assert watched.looks("queue") == ["FAIL", "PASS", "FAIL"]
    assert watched.looks("judge") == ["FAIL", "PASS"]


def test_a_candidate_that_never_fails_has_nothing_written() -> None:
    watched = Watched.by(queue())
    watched.look(queue=FINE)
    before = watched.tried.snapshot.status
    watched.look(queue=FINE + 1)
    assert watched.tried.snapshot.status.checks == before.checks
    assert watched.looks() == []


def test_hold_holds_for_as_long_as_it_is_beyond_the_limit_and_never_takes_out() -> None:
    watched = Watched.by(queue(on_failure="Hold"))
    for _ in range(8):
        decision = watched.look(queue=BAD)
        assert isinstance(decision, Hold)
    assert decision.reason == "ChecksWarn"
    assert "queue WARN: 99, at most 10" in decision.message
    assert watched.looks() == []


def test_where_callers_arent_split_as_configured_nobody_is_taken_out() -> None:
    watched = Watched.by(queue())
    for _ in range(3):
        decision = watched.look(queue=BAD, split=99.0)
        assert isinstance(decision, Hold)
    assert decision.reason == "SplitBroken"
    assert watched.looks() == []
    assert isinstance(watched.look(queue=BAD), Hold), "and no look of that time counts later"
    assert watched.looks() == ["FAIL"]


def test_a_dry_run_is_shown_and_never_decides() -> None:
    watched = Watched.by(queue(dryRun=True))
    for _ in range(8):
        decision = watched.look(queue=BAD)
        assert not isinstance(decision, Rollback)
        assert "queue" not in decision.message
    assert watched.looks() == []
    assert verdict(watched.tried.snapshot, "queue") == "FAIL"


def test_few_sessions_are_no_evidence() -> None:
    watched = Watched.by(queue(), sessions=19)
    for _ in range(4):
        assert not isinstance(watched.look(queue=BAD), Rollback)
    assert verdict(watched.tried.snapshot, "queue") == "INCONCLUSIVE"
    assert watched.looks() == []


def test_an_unknown_value_doesnt_spoil_the_other_checks() -> None:
    watched = Watched.by(queue())
    watched.look(queue=UNKNOWN)
    said = {check.name: check for check in watched.tried.snapshot.status.checks}
    assert (said["queue"].verdict, said["queue"].reason) == ("INCONCLUSIVE", "parse error")
    assert "evidence against it" in said["success"].reason
    watched.tried.add(CANDIDATE, 50, 0)
    watched.tried.add(CONTROL, 50)
    decision = watched.look(queue=UNKNOWN)
    assert isinstance(decision, Rollback)
    assert decision.reason == "CheckFailed"


def test_no_weight_is_taken_from_the_checks_that_are_tested() -> None:
    analysis = {**SEQUENTIAL, "checks": [SUCCESS, queue(weight=100)]}
    found = terms_of(spec("2.0.0", analysis=analysis), "2.0.0", "1.0.0")
    alone = terms_of(spec("2.0.0", analysis={**SEQUENTIAL, "checks": [SUCCESS]}), "2.0.0", "1.0.0")
    assert found is not None
    assert found == alone, "and the trial of before goes on when such a check is added"
    assert [criterion.weight for criterion in found.criteria] == [1.0]


@pytest.mark.parametrize("mode", ["sequential", "threshold"])
def test_alone_it_needs_sessions_counted_and_nothing_else(mode: str) -> None:
    alone = spec("2.0.0", analysis={"mode": mode, "checks": [queue()]})
    assert "agent_sessions_closed_total" in {query.metric for query in queries(alone)}
    assert sample_metric(alone) == "agent_sessions_closed_total"


def test_alone_in_sequential_mode_it_judges() -> None:
    s = climbing(analysis={**SEQUENTIAL, "checks": [queue()]})
    asked = {"queue": Asked({Arm("2.0.0", "candidate"): (1.0,)}, s.now)}
    seen = replace(s, evidence=told({CANDIDATE: closed(40), STABLE: closed(40)}, asked=asked))
    assert [result.verdict for result in run_checks(seen)] == [Verdict.PASS]


class TestThreshold:
    @staticmethod
    def decided(*checks: dict[str, Any], value: float | None, looks: int = 3) -> tuple[Decision, Snapshot]:
        """The last of so many looks a minute apart."""
        analysis = {"mode": "threshold", "checks": list(checks), "failures": EVERY_MINUTE}
        s = climbing(strategy=NO_SOAK, analysis=analysis)
        decision: Decision | None = None
        for _ in range(looks):
            s = later(s, seconds=60)
            asked: Any = (
                Unavailable("parse error")
                if value is None
                else Asked({Arm("2.0.0", "candidate"): (value,)}, s.now)
            )
            found = good(100, s.now)
            total = {arm: {**cells, **closed(40)} for arm, cells in found.total.items()}
            s = replace(s, evidence=replace(found, total=total, recent=total, asked={"queue": asked}))
            decision, plan = look(s)
            s = carry_out(s, plan)
        assert decision is not None
        return decision, s

    def test_a_critical_one_fails_the_gate_and_failed_looks_add_up(self) -> None:
        decision, s = self.decided(SUCCESS, queue(critical=True), value=BAD)
        assert isinstance(decision, Rollback)
        assert (decision.reason, "3 of the last 3 looks failed" in decision.message) == ("CheckFailed", True)
        assert s.status.rejected is not None

    def test_it_has_its_weight_in_the_score(self) -> None:
        decision, _ = self.decided(SUCCESS, queue(weight=60), value=BAD)
        assert isinstance(decision, Hold)
        assert (decision.reason, "score 0.50" in decision.message) == ("ChecksWarn", True)

    def test_hold_warns(self) -> None:
        decision, s = self.decided(
            SUCCESS, queue(on_failure="Hold", weight=60, critical=True), value=BAD, looks=9
        )
        assert isinstance(decision, Hold)
        assert decision.reason == "ChecksWarn"
        assert verdict(s, "queue") == "WARN"

    def test_an_unknown_critical_one_leaves_the_gate_without_a_verdict(self) -> None:
        decision, _ = self.decided(SUCCESS, queue(critical=True), value=UNKNOWN, looks=9)
        assert isinstance(decision, Hold)
        assert decision.reason == "ChecksInconclusive"
        assert "queue INCONCLUSIVE: parse error" in decision.message
