"""Any sequence of events, crashes included, keeps the promises a rollout makes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentrollouts.api.before_traffic import ProofSummary
from agentrollouts.api.notify import Happening
from agentrollouts.api.scalars import FULL
from agentrollouts.core.decision import Advance, Promote, Rollback, Start, Undo, Withdraw
from agentrollouts.core.plan import SetRoute
from agentrollouts.core.planner import settled
from agentrollouts.core.proof_run import Broken, Finished, Running
from agentrollouts.core.proofs import job_name
from tests.builders import UNAVAILABLE, carry_out, evidence, look, snapshot, spec, version

VERSIONS = {"1.0.0": "a", "2.0.0": "b", "2.1.0": "c"}
STRATEGIES = (
    {"steps": [{"share": 5, "soak": "1m"}, {"share": 20, "soak": "1m"}, {"share": 60, "soak": "1m"}]},
    {"selfTuning": {"interval": "1m", "window": 50}},
    {"selfTuning": {"interval": "1m", "floor": "5%", "start": "10%"}},
)


ANALYSES = (
    {},
    {"failures": {"every": "1s", "consecutive": 1}},
    {"breakers": [{"name": "errors", "errors": {"max": "30%"}}]},
)


ENTRIES = tuple(
    {"name": name, "eval": {"dataset": {"configMap": "evals", "key": name}, "minimumScore": "80%"}}
    for name in ("one", "two")
)
NOTIFY = ({"name": "all", "on": list(get_args(Happening)), "webhook": {"ref": "oncall"}},)


class RolloutMachine(RuleBasedStateMachine):
    """The world: what people and pods do. The shell carries out plans, sometimes only in part."""

    @initialize(
        strategy=st.sampled_from(STRATEGIES),
        above=st.sampled_from(["0%", "20%", "50%", "99.99%"]),
        author=st.sampled_from(["Person", "Agent"]),
        quorum=st.sampled_from([1, 2]),
        mode=st.sampled_from(["threshold", "sequential"]),
        analysis=st.sampled_from(ANALYSES),
        cool_down=st.sampled_from(["0s", "10m"]),
        notify=st.sampled_from([(), NOTIFY]),
        entries=st.sampled_from([0, 1, 2]),
    )
    def begin(self, *, strategy, above, author, quorum, mode, analysis, cool_down, notify, entries):
        self.fields = {
            "strategy": strategy,
            "approval": {"above": above, "quorum": quorum},
            "analysis": {"noEvidenceDeadline": "5m", "mode": mode, **analysis},
            "rollback": {"coolDown": cool_down},
            "notify": notify,
            "beforeTraffic": ENTRIES[:entries],
        }
        self.passed = set()
        self.quorum = quorum
        self.limit = min(self.bps(above), 5_000) if author == "Agent" else self.bps(above)
        versions = {v: version(v, letter, author=author) for v, letter in VERSIONS.items()}
        self.s = snapshot(spec=spec("1.0.0", **self.fields), versions=versions)
        self.counts = {(v, c): [0, 0] for v in VERSIONS for c in ("candidate", "stable", "control")}
        self.approvers = set()
        self.token = 0
        self.dead = set()
        self.taken_out = set()
        self.hot_until = None
        self.told, self.over = set(), set()
        self.see()

    @staticmethod
    def bps(above):
        return int(float(above.rstrip("%")) * 100)

    def see(self):
        self.s = replace(
            self.s, evidence=evidence({k: tuple(v) for k, v in self.counts.items() if sum(v)}, self.s.now)
        )

    def pending(self):
        return {notice.id for notice in self.s.status.notices.pending} if self.s.status.notices else set()

    def proven(self, candidate):
        """Whether the Jobs of this very attempt and artifact said PASS for every entry; the world knows, not the operator."""
        entries = self.s.spec.before_traffic
        return all(job_name(self.s, entry, candidate) in self.passed for entry in entries)

    def share(self):
        route = self.s.route
        return sum(a.share for a in route.spec.arms if a.cohort == "candidate") if route else 0

    def serving(self):
        return {a.version for a in self.s.route.spec.arms} if self.s.route else set()

    def tick(self, upto=None):
        before, share = self.s, self.share()
        decision, plan = look(self.s)
        self.check(decision, share, before)
        written = any(isinstance(action, SetRoute) for action in plan.actions[:upto])
        if isinstance(decision, Rollback) and written:
            self.dead.add(settled(before).status.candidate.attempt)
            self.taken_out.add(settled(before).status.candidate.digest)
            cool_down = before.spec.rollback.cool_down
            self.hot_until = None if decision.aborted else before.now + cool_down
        if isinstance(decision, Promote) and written:
            self.taken_out.discard(settled(before).status.candidate.digest)
            self.hot_until = None
        pending = self.pending()
        self.s = carry_out(self.s, plan, upto=upto)
        self.told |= self.pending()
        self.over |= pending - self.pending()
        candidate = self.s.status.candidate
        if (
            candidate is None
            or before.status.candidate is None
            or candidate.attempt != before.status.candidate.attempt
        ):
            self.s = replace(self.s, gate=None) if candidate is None or before.status.candidate else self.s
        if self.s.gate is None:
            self.approvers = set()
        if upto is None and isinstance(decision, Rollback):
            assert self.share() == 0
            assert isinstance(plan.actions[0], SetRoute)

    def check(self, decision, share, before):
        """Growth needs permission, and is one step at a time."""
        wanted = (
            decision.share if isinstance(decision, Advance) else FULL if isinstance(decision, Promote) else 0
        )
        candidate = settled(before).status.candidate
        if isinstance(decision, Start) and before.status.attempts < 8:
            self.check_start(decision, before)
        if wanted:
            assert candidate.attempt not in self.dead, "a candidate that was taken out came back"
        if candidate and before.versions[candidate.version].workload.restarts > 2:
            assert isinstance(decision, (Rollback, Withdraw, Start, Undo)), decision
        if wanted > share:
            assert self.proven(candidate), "a share before all was proven"
        if wanted > share and (wanted > self.limit or wanted == FULL):
            assert len(self.approvers) >= self.quorum, (wanted, self.limit, self.approvers)
        tuning = before.spec.strategy.self_tuning
        if tuning and isinstance(decision, (Advance, Promote)) and wanted > share and share:
            assert wanted - share <= tuning.max_step

    def check_start(self, decision, before):
        """What was taken out isn't tried again, and nothing is while it cools down, unless a person says so."""
        handled = settled(before).status.handled.retry
        if before.requests.retry and before.requests.retry != handled:
            self.hot_until = None
            return
        assert decision.digest not in self.taken_out
        assert self.hot_until is None or before.now >= self.hot_until

    @rule(upto=st.one_of(st.none(), st.integers(0, 3)))
    def look_at_it(self, upto):
        self.tick(upto)

    @rule(seconds=st.sampled_from([1, 30, 61, 301, 700]), upto=st.one_of(st.none(), st.integers(0, 2)))
    def time_passes(self, seconds, upto):
        self.s = replace(self.s, now=self.s.now + timedelta(seconds=seconds))
        self.tick(upto)

    @rule(n=st.sampled_from([10, 500, 20_000]), bad=st.sampled_from([0, 0, 0, 0.02, 0.1, 0.5]))
    def traffic(self, n, bad):
        for arm in self.s.route.spec.arms if self.s.route else ():
            tasks = max(1, n * arm.share // FULL) if arm.share else 0
            failed = round(tasks * bad) if arm.cohort == "candidate" else 0
            self.counts[arm.version, arm.cohort][0] += tasks - failed
            self.counts[arm.version, arm.cohort][1] += failed
        self.see()
        self.tick()

    @rule(wanted=st.sampled_from(sorted(VERSIONS)))
    def spec_changes(self, wanted):
        self.s = replace(self.s, spec=spec(wanted, **self.fields))

    @rule(kind=st.sampled_from(["abort", "retry", "undo", "resume"]))
    def a_person_asks(self, kind):
        self.token += 1
        self.s = replace(self.s, requests=replace(self.s.requests, **{kind: str(self.token)}))

    @rule(paused=st.booleans())
    def a_person_pauses(self, paused):
        self.s = replace(self.s, requests=replace(self.s.requests, paused=paused))

    @precondition(lambda self: self.s.gate is not None)
    @rule(who=st.sampled_from(["alice", "bob"]))
    def a_person_approves(self, who):
        self.approvers.add(who)
        self.s = replace(
            self.s,
            gate=replace(self.s.gate, approve=f"true {who}", approved_by=tuple(sorted(self.approvers))),
        )

    @precondition(lambda self: self.s.gate is not None)
    @rule()
    def approvals_are_withdrawn(self):
        self.approvers = set()
        self.s = replace(self.s, gate=replace(self.s.gate, approve="", approved_by=()))

    @precondition(lambda self: self.s.gate is not None)
    @rule(value=st.sampled_from(["yes", "sha256:" + "e" * 64, "TRUE", "false"]))
    def a_person_approves_something_else(self, value):
        self.approvers = set()
        self.s = replace(self.s, gate=replace(self.s.gate, approve=value, approved_by=("mallory", "eve")))

    @rule(
        which=st.sampled_from(sorted(VERSIONS)),
        ready=st.booleans(),
        restarts=st.sampled_from([0, 0, 5]),
        upto=st.sampled_from([None, 0, 1]),
    )
    def pods_change(self, which, ready, restarts, upto):
        letter = VERSIONS[which]
        author = self.s.versions[which].lineage.author
        self.s = replace(
            self.s,
            versions={
                **self.s.versions,
                which: version(which, letter, ready=ready, restarts=restarts, author=author),
            },
        )
        self.tick(upto)

    @rule(restarted=st.booleans())
    def notices_arrive(self, restarted):
        """Everything that waits; an operator that restarts knows nothing of it."""
        self.s = replace(self.s, delivered=frozenset() if restarted else frozenset(self.pending()))

    @precondition(lambda self: any(isinstance(run, Running) for run in self.s.jobs.values()))
    @rule(word=st.sampled_from(["PASS", "PASS", "PASS", "PASS", "FAIL", "INVALID", "broken"]), data=st.data())
    def a_job_ends(self, word, data):
        names = sorted(name for name, run in self.s.jobs.items() if isinstance(run, Running))
        name = data.draw(st.sampled_from(names))
        if word == "PASS":
            self.passed.add(name)
        said = ProofSummary(verdict=word) if word != "broken" else None
        run = Finished(said, self.s.now) if said else Broken("no word", self.s.now)
        self.s = replace(self.s, jobs={**self.s.jobs, name: run})
        self.tick()

    @precondition(lambda self: bool(self.s.jobs))
    @rule(data=st.data())
    def a_job_is_deleted(self, data):
        """By its time to live, or by somebody."""
        gone = data.draw(st.sampled_from(sorted(self.s.jobs)))
        self.s = replace(self.s, jobs={name: run for name, run in self.s.jobs.items() if name != gone})

    @rule()
    def the_metrics_are_away(self):
        self.s = replace(self.s, evidence=UNAVAILABLE)
        self.tick()
        self.see()

    @rule()
    def somebody_tampers_with_the_route(self):
        if self.s.route is not None:
            arms = (self.s.route.spec.arms[-1].model_copy(update={"share": FULL}),)
            tampered = self.s.route.spec.model_copy(update={"arms": arms})
            self.s = replace(self.s, route=replace(self.s.route, spec=tampered))
            self.tick()

    @invariant()
    def the_shares_are_whole(self):
        if self.s.route is not None:
            assert sum(a.share for a in self.s.route.spec.arms) == FULL

    @invariant()
    def something_always_serves(self):
        if self.s.status.stable is not None:
            assert self.s.route is not None
            assert self.serving() & set(VERSIONS)

    @invariant()
    def the_control_cohort_is_never_larger_than_the_candidate(self):
        control = sum(a.share for a in self.s.route.spec.arms if a.cohort == "control") if self.s.route else 0
        assert control <= self.share()

    @invariant()
    def a_candidate_that_was_taken_out_stays_out(self):
        candidate = self.s.status.candidate
        if candidate is not None and candidate.attempt in self.dead:
            assert self.share() == 0

    @invariant()
    def nothing_is_told_anew_and_no_rollback_is_left_untold(self):
        assert not self.pending() & self.over
        if self.s.spec.notify:
            ends = [e for e in self.s.status.history if e.outcome in ("RolledBack", "Aborted")]
            assert {f"u-1.{entry.attempt}.RolledBack" for entry in ends} <= self.told

    @invariant()
    def no_candidate_has_a_share_before_it_is_proven(self):
        candidate = self.s.status.candidate
        if candidate is not None and candidate.share:
            assert self.proven(candidate)

    @invariant()
    def the_status_stays_small(self):
        notices = self.s.status.notices
        assert notices is None or (len(notices.pending) <= 8 and len(notices.told) <= 16)
        assert len(self.s.status.history) <= 10
        assert len(self.s.status.shares) <= 16
        assert self.s.status.candidate is None or len(self.s.status.candidate.looks) <= 6


RolloutMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRollout = RolloutMachine.TestCase
