"""Whatever happens to the ledger and to the agent's process between tasks, every task arrives, and once."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentrollouts_kit import Identity, Reporter
from tests.ledger.process import LedgerProcess

_DEADLINE_SECONDS = 120.0


class Delivery(RuleBasedStateMachine):
    """A real ledger process over SQLite, and an agent's reporters, one after another, over one state directory."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name)
        self._ledger = LedgerProcess(self._path)
        self._sent: list[int] = []
        self._reporter = self._new_reporter()

    def _new_reporter(self) -> Reporter:
        return Reporter(
            identity=Identity("support", "1.0.0"),
            ledger_url=self._ledger.url,
            state_dir=str(self._path / "state"),
            metrics_port=0,
            max_open_sessions=50,
        )

    @rule(number=st.integers(1, 150))
    def tasks(self, number: int) -> None:
        for _ in range(number):
            with self._reporter.task() as task:
                task.record_input(len(self._sent))
            self._sent.append(len(self._sent))

    @precondition(lambda self: not self._ledger.runs)
    @rule()
    def ledger_starts(self) -> None:
        self._ledger.start()

    @precondition(lambda self: self._ledger.runs)
    @rule()
    def ledger_is_killed(self) -> None:
        self._ledger.kill()

    @precondition(lambda self: self._ledger.runs)
    @rule()
    def ledger_stops(self) -> None:
        self._ledger.stop()

    @precondition(lambda self: self._ledger.runs)
    @rule()
    def ledger_is_full_for_a_while(self) -> None:
        self._ledger.limit_files(1)
        self.tasks(3)
        self._until_spooled()
        self._ledger.limit_files(-1)

    @rule()
    def agent_restarts(self) -> None:
        """What the first thread has not yet written would go with a killed process, so it is waited for."""
        self._until_spooled()
        self._reporter.close()
        self._reporter = self._new_reporter()

    @invariant()
    def nothing_is_dropped(self) -> None:
        self._until_spooled()
        assert not any(self._reporter._posting.counts().dropped.values())

    def teardown(self) -> None:
        if not self._ledger.runs:
            self._ledger.start()
        self._reporter.serve()
        self._until(lambda: self._reporter._posting.counts().spooled == 0)
        assert sorted(task["input"] for task in self._ledger.tasks()) == self._sent
        self._reporter.close()
        self._ledger.close()
        self._folder.cleanup()

    def _until_spooled(self) -> None:
        posting = self._reporter._posting
        self._until(lambda: not posting._handover)

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            self._reporter._posting._hurry.set()
            time.sleep(0.01)


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(
    max_examples=3,
    stateful_step_count=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
