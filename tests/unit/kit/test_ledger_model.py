"""The ledger against a model that keeps every task and every session in lists and counts at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from agentrollouts_kit.cells import BLOCK, Cells
from agentrollouts_kit.exposition import Exposition
from agentrollouts_kit.identity import Identity
from agentrollouts_kit.layout import Layout
from agentrollouts_kit.ledger import Ledger
from agentrollouts_kit.tally import Caps, Tally
from agentrollouts_kit.vocabulary import EVENTS, FEEDBACK, FIRST_FEEDBACK, OUTCOMES

IDLE, OLDEST, SLOTS = 30.0, 100.0, 4
TOOLS, SCORES = ("lookup",), ("similarity",)
LAYOUT = Layout.of(tools=len(TOOLS), scores=len(SCORES), slots=SLOTS)
CAPS = Caps(cost_usd=(1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001), llm_calls=4.0)
COHORTS = ("candidate", "stable", "control", "none")


@dataclass(eq=False)
class ModelTask:
    tally: Tally
    outcome: int | None = None
    events: set[int] = field(default_factory=set)
    llm_calls: int = 0
    score: float | None = None


@dataclass(eq=False)
class ModelSession:
    cohort: int
    key: int | None
    started: float
    last: float
    closing: bool
    tasks: list[ModelTask] = field(default_factory=list)

    def runs(self) -> bool:
        return any(task.outcome is None for task in self.tasks)

    def score(self) -> float | None:
        scores = [task.score for task in self.tasks if task.score is not None]
        return sum(scores) / len(scores) if scores else None


class LedgerMachine(RuleBasedStateMachine):
    """Every step happens to both; `closed` keeps (session, reason) of the model."""

    tasks = Bundle("tasks")

    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.words = memoryview(bytearray(8 * (BLOCK + LAYOUT.size))).cast("d")
        self.open: list[ModelSession] = []
        self.closed: list[tuple[ModelSession, str]] = []
        self.feedbacks: Counter[tuple[int, int]] = Counter()
        self.restart()

    def restart(self) -> None:
        self.ledger = Ledger(
            Cells(self.words),
            LAYOUT,
            clock=lambda: self.now,
            idle_seconds=IDLE,
            max_seconds=OLDEST,
            caps=CAPS,
        )

    def close(self, session: ModelSession, reason: str) -> None:
        for task in session.tasks:
            if task.outcome is None:
                task.outcome = 1
        self.open.remove(session)
        self.closed.append((session, reason))

    def sweep(self) -> None:
        """More than the ledger does by itself at a task, so the machine sweeps before each of its steps.

        Time moves a little, so that no two things happen at once: which of two is evicted first would be open.
        """
        self.now += 2.0**-10
        self.ledger.sweep()
        for session in tuple(self.open):
            if not session.runs() and self.now - session.last >= IDLE:
                self.close(session, "idle")
            elif self.now - session.started >= OLDEST:
                self.close(session, "expired")

    @rule(target=tasks, cohort=st.integers(0, 3), key=st.one_of(st.none(), st.integers(1, 6)))
    def begin(self, cohort: int, key: int | None) -> ModelTask:
        self.sweep()
        task = ModelTask(Tally(cohort=cohort, started=self.now))
        self.ledger.begin(task.tally, None if key is None else (key, key))
        fitting = [
            s for s in self.open if (s.cohort, s.key) == (cohort, key) and key is not None and not s.closing
        ]
        if fitting:
            session = fitting[0]
        else:
            if len(self.open) == SLOTS:
                quiet = [s for s in self.open if not s.runs()]
                if quiet:
                    self.close(min(quiet, key=lambda s: s.last), "idle")
                else:
                    self.close(self.open[0], "expired")
            session = ModelSession(cohort, key, self.now, self.now, closing=key is None)
            self.open.append(session)
        session.last = self.now
        session.tasks.append(task)
        return task

    @rule(
        task=consumes(tasks),
        outcome=st.integers(0, 3),
        tools=st.integers(0, 2),
        cost=st.sampled_from([0.0, 0.5, 2.0]),
        llm_calls=st.sampled_from([0, 1, 9]),
        score=st.sampled_from([None, 0.0, 0.25, 1.0]),
        ends=st.booleans(),
    )
    def finish(
        self,
        task: ModelTask,
        *,
        outcome: int,
        tools: int,
        cost: float,
        llm_calls: int,
        score: float | None,
        ends: bool,
    ) -> None:
        self.sweep()
        session = next((s for s in self.open if task in s.tasks), None)
        if task.outcome is None:
            task.tally.cost_usd = cost
            task.tally.ends_session = ends
            task.tally.llm_calls = task.llm_calls = llm_calls
            task.score = score
            if score is not None:
                task.tally.scores[0] = 2 * score, 2
            if tools:
                task.tally.tool_calls[tools - 1, 0] = 1
        self.ledger.finish(task.tally, outcome)  # also of tasks that the ledger has counted or never knew
        if session is None or task.outcome is not None:
            return
        task.outcome = outcome
        session.last = self.now
        session.closing = session.closing or ends
        if session.closing and not session.runs():
            self.close(session, "explicit")

    @rule(task=tasks, event=st.sampled_from(range(len(EVENTS))))
    def happen(self, task: ModelTask, event: int) -> None:
        self.sweep()
        task.tally.events.setdefault(event, 0)
        if task.outcome is None:
            task.events.add(event)

    @rule(
        cohort=st.integers(0, 3),
        key=st.integers(1, 6),
        event=st.sampled_from(range(FIRST_FEEDBACK, len(EVENTS))),
    )
    def feedback(self, cohort: int, key: int, event: int) -> None:
        self.sweep()
        counted = self.ledger.feedback(cohort, (key, key), event)
        fitting = [s for s in self.open if (s.cohort, s.key) == (cohort, key) and not s.closing]
        assert counted == bool(fitting)
        for session in fitting:
            self.feedbacks[cohort, event] += 1
            without = [task for task in session.tasks if event not in task.events]
            ended = [task for task in without if task.outcome is not None]
            for task in (ended or without)[:1]:
                task.events.add(event)

    @rule(cohort=st.integers(0, 3), key=st.integers(1, 6))
    def end_session(self, cohort: int, key: int) -> None:
        self.sweep()
        self.ledger.end_session(cohort, (key, key))
        for session in tuple(self.open):
            if (session.cohort, session.key) == (cohort, key):
                session.closing = True
                if not session.runs():
                    self.close(session, "explicit")

    @rule(seconds=st.sampled_from([1.0, 29.0, 30.0, 80.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def kill_and_restart(self) -> None:
        for session in tuple(self.open):
            for task in session.tasks:
                if task.outcome is None:
                    task.outcome = 1
                    task.events.clear()
            if session.closing:
                self.close(session, "explicit")
        self.restart()

    @invariant()
    def counts_are_the_models(self) -> None:
        if not hasattr(self, "words"):
            return
        self.sweep()
        cells, _ = self.ledger.counters()
        exposition = Exposition(identity=Identity(), tools=TOOLS, scores=SCORES, layout=LAYOUT, caps=CAPS)
        found: Counter[tuple[str, ...]] = Counter()
        for family in exposition.families(cells, problems=0):
            for sample in family.samples:
                label = next(
                    (sample.labels[n] for n in ("outcome", "reason", "event") if n in sample.labels), ""
                )
                if "cohort" in sample.labels and "tool" not in sample.labels and "le" not in sample.labels:
                    found[sample.name, sample.labels["cohort"], label] = sample.value
        for cohort, name in enumerate(COHORTS):
            self._compare_cohort(found, cohort, name)
            self._compare_evidence(found, cohort, name)

    def _compare_cohort(self, found: Counter[tuple[str, ...]], cohort: int, name: str) -> None:
        closed = [(s, reason) for s, reason in self.closed if s.cohort == cohort]
        sessions = [s for s, _ in closed] + [s for s in self.open if s.cohort == cohort]
        outcomes = [task.outcome for s in sessions for task in s.tasks if task.outcome is not None]
        for index, outcome in enumerate(OUTCOMES):
            assert found["agent_tasks_total", name, outcome] == outcomes.count(index)
            fractions = [[t.outcome for t in s.tasks].count(index) / len(s.tasks) for s, _ in closed]
            assert found["agent_session_outcome_fraction_total", name, outcome] == pytest.approx(
                sum(fractions)
            )
            if outcome == "success":
                squares = sum(fraction**2 for fraction in fractions)
                assert found["agent_session_success_fraction_total", name, ""] == pytest.approx(
                    sum(fractions)
                )
                assert found["agent_session_success_fraction_squares_total", name, ""] == pytest.approx(
                    squares
                )
        assert found["agent_task_duration_seconds_count", name, ""] == len(outcomes)
        assert found["agent_sessions_assigned_total", name, ""] == len(sessions)
        for reason in ("explicit", "idle", "expired"):
            assert found["agent_sessions_closed_total", name, reason] == [r for _, r in closed].count(reason)

    def _compare_evidence(self, found: Counter[tuple[str, ...]], cohort: int, name: str) -> None:
        closed = [session for session, _ in self.closed if session.cohort == cohort]
        for index, event in enumerate(EVENTS):
            fractions = [sum(index in t.events for t in s.tasks) / len(s.tasks) for s in closed]
            assert found["agent_session_event_fraction_total", name, event] == pytest.approx(sum(fractions))
            if event in FEEDBACK:
                assert found["agent_feedback_total", name, event] == self.feedbacks[cohort, index]
        calls = [sum(min(t.llm_calls, 4) / 4 for t in s.tasks) / len(s.tasks) for s in closed]
        scores = [score for s in closed if (score := s.score()) is not None]
        expected = {
            "agent_session_llm_calls_fraction_total": sum(calls),
            "agent_session_llm_calls_fraction_squares_total": sum(c**2 for c in calls),
            "agent_session_scores_total": len(scores),
            "agent_session_score_sum_total": sum(scores),
            "agent_session_score_squares_total": sum(s**2 for s in scores),
        }
        assert {metric: found[metric, name, ""] for metric in expected} == pytest.approx(expected)


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLedger = LedgerMachine.TestCase
