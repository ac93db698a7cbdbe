"""The reporter of a process: owns the counts, serves them, and keeps its own troubles away from the agent."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from agentrollouts_kit.capture import Capture
from agentrollouts_kit.cells import Cells
from agentrollouts_kit.context import current
from agentrollouts_kit.drain import DrainReport, drain_steps, drained, drained_blocking
from agentrollouts_kit.exposition import Collected, Exposition
from agentrollouts_kit.forks import call_after_fork
from agentrollouts_kit.identity import Identity
from agentrollouts_kit.keys import key_digest
from agentrollouts_kit.layout import Layout
from agentrollouts_kit.ledger import Clock, Ledger
from agentrollouts_kit.names import Names
from agentrollouts_kit.posting import FLUSH_SECONDS, Posting
from agentrollouts_kit.posting_metrics import posting_families
from agentrollouts_kit.problems import Problems
from agentrollouts_kit.recording import Recording
from agentrollouts_kit.release import release_families
from agentrollouts_kit.scope import TaskScope
from agentrollouts_kit.server import MetricsServer, Scrape
from agentrollouts_kit.settings import Settings
from agentrollouts_kit.shadow_ledger import count_shadow
from agentrollouts_kit.shadow_scorer import ShadowScorer, Similarity
from agentrollouts_kit.similarity import similarity as by_characters
from agentrollouts_kit.tally import Caps, Tally
from agentrollouts_kit.vocabulary import COHORTS, EVENTS, FEEDBACK, Feedback, Outcome

if TYPE_CHECKING:
    from agentrollouts_kit.state import StateDir, StateFile


class Reporter:
    """Counts the tasks and sessions of this process; building one opens nothing, the first use does.

    Keyword arguments are those of `Settings` and win over the environment; a wrong one raises ValueError here.
    `registry` is for metrics of the agent's own: they are served with ours.
    `similarity` says how alike two answers' texts are, from 0 to 1; it is called in a thread of its own.
    """

    def __init__(
        self,
        *,
        identity: Identity | None = None,
        clock: Clock = time.monotonic,
        similarity: Similarity = by_characters,
        **settings: Any,
    ) -> None:
        self.settings = Settings.from_env(**settings)
        self.identity = identity or Identity.from_env()
        self.clock = clock
        self.problems = Problems()
        self.registry = CollectorRegistry()
        self.names = Names(self.settings)
        self._declared = {name: getattr(self.settings, name) for name in ("tools", "scores", "topics")}
        lengths = {name: len(declared) for name, declared in self._declared.items()}
        self._layout = Layout.of(**lengths, slots=self.settings.max_open_sessions)
        self._caps = Caps(
            cost_usd=self.settings.cost_caps,
            llm_calls=self.settings.llm_calls_cap,
            response_chars=self.settings.response_length_cap,
        )
        self._exposition = Exposition(
            identity=self.identity, **self._declared, layout=self._layout, caps=self._caps
        )
        self._similarity = similarity
        self._forget()
        call_after_fork(self)

    def _forget(self) -> None:
        """The state before the first use; also that of a forked child, whose parent keeps the file and the port."""
        self._lock = threading.RLock()
        self._ledger: Ledger | None = None
        self._state: tuple[StateDir, StateFile] | None = None
        self._server: MetricsServer | None = None
        self.shadows = ShadowScorer(self, similarity=self._similarity)
        self._posting = Posting(self.settings, self.identity, self.problems)
        self.recording = Recording(self._posting, self.problems)

    @property
    def ledger(self) -> Ledger:
        """Where this process counts; opened, and what a killed process left behind recovered, at the first use."""
        return self._ledger or self._open()

    def task(self, *, default_outcome: Outcome | None = None) -> TaskScope:
        """One task as a context manager: `with reporter.task() as t: …`."""
        return TaskScope(self, default_outcome=default_outcome)

    def begin(self, tally: Tally, key: str | None, capture: Capture | None = None) -> None:
        """Note that a task begins, of a request that may be asked again as a shadow. Never raises."""
        try:
            self.ledger.begin(tally, None if key is None else key_digest(key))
            if capture is not None:
                self.shadows.await_score(capture, tally)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with reporting is not the agent's
            self._note_unrecorded(error)

    def finish(self, tally: Tally, outcome: int) -> None:
        """Count a task. Never raises."""
        try:
            self.ledger.finish(tally, outcome)
        except Exception as error:  # noqa: BLE001 - as above
            self._note_unrecorded(error)

    def finish_shadow(self, tally: Tally) -> None:
        """Count a task that was asked as a shadow; no rollout looks at these counts. Never raises."""
        try:
            count_shadow(self.ledger, tally)
        except Exception as error:  # noqa: BLE001 - as above
            self._note_unrecorded(error)

    def close_session(self) -> None:
        """Close the session of the current request, after its tasks that still run. Never raises."""
        context = current.get()
        if context.session is not None and not self.settings.replay:
            try:
                self.ledger.end_session(context.cohort, key_digest(context.session))
            except Exception as error:  # noqa: BLE001 - as above
                self._note_unrecorded(error)

    def feedback(self, session_key: str, event: Feedback, *, cohort: str | None = None) -> bool:
        """Count what a user did about a task that has ended, while its session is still open. Never raises.

        One more of the session's tasks counts as having the event, as long as there is one without it. `cohort`
        is that of the current request unless given. False when it was not counted: no session of this key is
        open here in that cohort (closed already, of another process), an argument makes no sense, or a shadow says so.
        """
        if current.get().shadow or self.settings.replay:
            return False
        known = event in FEEDBACK and (cohort is None or cohort in COHORTS)
        if not known or not isinstance(session_key, str):
            self.problems.note(
                "feedback",
                "feedback takes a session key, one of %s and one of the cohorts %s, not a %s, %r and %r: left out",
                ", ".join(FEEDBACK),
                ", ".join(COHORTS),
                type(session_key).__name__,
                event,
                cohort,
            )
            return False
        place = current.get().cohort if cohort is None else COHORTS.index(cohort)
        try:
            return self.ledger.feedback(place, key_digest(session_key), EVENTS.index(event))
        except Exception as error:  # noqa: BLE001 - as above
            self._note_unrecorded(error)
            return False

    def serve(self) -> int | None:
        """Serve /metrics from a daemon thread; again is harmless. The port, None while another process has it."""
        self._posting.start()
        if self._server is None:
            with self._lock:
                if self._server is None:
                    self._server = MetricsServer(
                        self.render, port=self.settings.metrics_port, problems=self.problems
                    )
        return self._server.port

    async def drain(self, deadline_seconds: float | None = None) -> DrainReport:
        """Close all sessions and wait until Prometheus has seen it, at most `drain_seconds`: call it when stopping."""
        return await drained(self._drain_steps(deadline_seconds))

    def drain_blocking(self, deadline_seconds: float | None = None) -> DrainReport:
        """The same for an agent without an event loop."""
        return drained_blocking(self._drain_steps(deadline_seconds))

    def close(self) -> None:
        """Stop serving and let another process have the counts; for tests and for agents that end early."""
        self.shadows.stop()
        self._posting.stop()
        if self._server is not None:
            self._server.close()
        if self._state is not None:
            self._state[1].leave()
        self._forget()

    def collect(self) -> Iterator[Metric]:
        """The families, for a registry that serves them elsewhere: `registry.register(reporter)`."""
        cells, _ = self._read()
        return self._families(cells)

    def render(self, accept: str) -> Scrape:
        """Answer one scrape: close what is over, then write every series."""
        self.ledger.sweep()
        cells, seen = self._read()
        families = [*self._families(cells), *self.registry.collect()]
        encode, content_type = choose_encoder(accept)
        body = encode(Collected(families))

        def delivered() -> None:
            for block, sequence in seen:
                block.mark_scraped(sequence)

        return Scrape(body=body, content_type=content_type, delivered=delivered)

    def _families(self, cells: list[float]) -> Iterator[Metric]:
        yield from self._exposition.families(cells, problems=self.problems.total)
        yield from release_families(self.identity)
        if self._posting.enabled:
            yield from posting_families(self.identity, self._posting.counts())

    def _read(self) -> tuple[list[float], list[tuple[Cells, float]]]:
        """The sum over the processes of this pod, and which sequence of each block it holds."""
        ledger = self.ledger
        values, sequence = ledger.counters()
        total, seen = list(values), [(ledger.cells, sequence)]
        if self._state is not None:
            directory, own = self._state
            for block in directory.siblings(own.path):
                values, sequence = block.read(self._layout.counters_size)
                total = [mine + other for mine, other in zip(total, values, strict=True)]
                seen.append((block, sequence))
        return total, seen

    def _open(self) -> Ledger:
        with self._lock:
            if self._ledger is None:
                self._ledger = Ledger(
                    self._open_cells(),
                    self._layout,
                    clock=self.clock,
                    idle_seconds=self.settings.session_idle_seconds,
                    max_seconds=self.settings.session_max_seconds,
                    caps=self._caps,
                )
            return self._ledger

    def _open_cells(self) -> Cells:
        if self.settings.state_dir:
            try:
                # Imported here: it needs a Unix, the rest of the kit does not.
                from agentrollouts_kit.state import StateDir

                directory = StateDir(
                    Path(self.settings.state_dir),
                    identity=self.identity,
                    **self._declared,
                    layout=self._layout,
                )
                self._state = directory, directory.claim()
                return self._state[1].cells
            except (OSError, ImportError) as error:
                self.problems.note(
                    "state",
                    "AGENT_STATE_DIR=%s cannot be used: counts will start at zero when this process restarts; make "
                    "it a writable directory with a few MB of room",
                    self.settings.state_dir,
                    error=error,
                )
        return Cells.in_memory(self._layout.size)

    def _drain_steps(self, deadline_seconds: float | None) -> Generator[None, None, DrainReport]:
        self.shadows.stop()
        deadline = self.settings.drain_seconds if deadline_seconds is None else deadline_seconds
        began = self.clock()
        report = yield from drain_steps(
            self.ledger,
            clock=self.clock,
            deadline_seconds=deadline,
            expect_scrapes=bool(self.settings.pod_name),
        )
        # NB: records are posted while a scrape is awaited, too; this is for those that came last.
        left = deadline - (self.clock() - began)
        yield from self._posting.flush_steps(min(left, FLUSH_SECONDS))
        return report

    def _note_unrecorded(self, error: Exception) -> None:
        self.problems.note(
            "unrecorded", "a task or session could not be recorded: this is a bug", error=error
        )

    def after_fork_in_child(self) -> None:
        """The file and the port are the parent's: begin anew."""
        if self._state is not None:
            self._state[1].leave()
        self._forget()
