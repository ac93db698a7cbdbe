"""What an agent's author has in hand: the `Task`, which is told what it did and how it went.

No method of a task raises, blocks or does I/O; a value that makes no sense is left out and noted as a problem.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Final, Literal

from agentrollouts_kit.context import current
from agentrollouts_kit.records import Draft
from agentrollouts_kit.tally import Tally, final_outcome
from agentrollouts_kit.vocabulary import (
    CHECKPOINT,
    DESTRUCTIVE_ROLLBACK,
    EVENTS,
    FAILURE,
    INTERVENTION,
    OUTCOMES,
    SUCCESS,
    TOOL_FAILURE,
    Outcome,
)

if TYPE_CHECKING:
    from agentrollouts_kit.reporter import Reporter

logger = logging.getLogger("agentrollouts_kit")
_REFUSED: Final = OUTCOMES.index("refused")
_ESCALATED: Final = OUTCOMES.index("escalated")
_THUMBS_DOWN: Final = EVENTS.index("thumbs_down")
_REGENERATE: Final = EVENTS.index("regenerate")
_TAKEOVER: Final = EVENTS.index("takeover")


class Task:
    """One task of the agent, from begin to end. The last word on its outcome counts."""

    __slots__ = (
        "_capture",
        "_default",
        "_draft",
        "_exchange",
        "_replay",
        "_reporter",
        "_tally",
        "key",
        "open",
        "reported_tools",
        "shadow",
    )

    def __init__(self, reporter: Reporter, *, default_outcome: Outcome | None = None) -> None:
        context = current.get()
        self._reporter = reporter
        self._default = OUTCOMES.index(default_outcome or reporter.settings.default_outcome)
        self._tally = Tally(cohort=context.cohort, started=reporter.clock())
        self._capture = context.capture
        self._exchange = context.exchange
        self._draft: Draft | None = None
        self._replay = context.replay
        self.reported_tools: set[str] = set()
        """Tools that report their calls themselves: whoever goes through a finished run leaves them out."""
        self.shadow = context.shadow or reporter.settings.replay
        """Whether the answer is only compared with another one: do nothing that lasts. No rollout counts the task."""
        self.key = context.session
        """The session key the task counts under; None makes it a session of its own."""
        self.open = False
        """Whether the code of the task still runs."""

    @property
    def counted(self) -> bool:
        """Whether the task has been counted: at its end, or before, as a failure, because its session expired."""
        return self._tally.counted

    @property
    def outcome(self) -> Outcome | None:
        """What has been said about the outcome so far."""
        return None if self._tally.outcome is None else OUTCOMES[self._tally.outcome]

    def success(self) -> None:
        """The agent did what was asked."""
        self._set(SUCCESS)

    def fail(self, reason: str = "") -> None:
        """The agent did not do what was asked. The reason goes to the debug log only: it may quote a user."""
        self._set(FAILURE)
        logger.debug("task failed: %s", reason or "no reason given")

    def refuse(self) -> None:
        """The agent declined to do what was asked."""
        self._set(_REFUSED)
        if self._draft is not None:
            self._draft.refusal = True

    def escalate(self) -> None:
        """The agent handed the task to a person."""
        self._set(_ESCALATED)

    def add_cost(self, usd: float) -> None:
        """Add to what the task cost, in US dollars."""
        self._tally.cost_usd += self._amount(usd, "cost")

    def llm_call(
        self, *, input_tokens: int = 0, output_tokens: int = 0, cost_usd: float = 0.0, calls: int = 1
    ) -> None:
        """One call of a language model (or several), its tokens and, if known, its cost."""
        tally = self._tally
        tally.llm_calls += int(self._amount(calls, "LLM calls"))
        tally.input_tokens += int(self._amount(input_tokens, "input tokens"))
        tally.output_tokens += int(self._amount(output_tokens, "output tokens"))
        tally.cost_usd += self._amount(cost_usd, "cost")

    def tool_call(
        self,
        name: str,
        *,
        ok: bool = True,
        arguments: object = None,
        result: object = None,
        error: str | None = None,
        duration_seconds: float | None = None,
    ) -> None:
        """One call of a tool; a tool that was not declared counts as `other`.

        What it was given and what it answered goes to the task ledger only, by its own name.
        """
        self._check_open()
        if self._replay is not None:
            self._replay.note(name, arguments=arguments, error=error)
        call = (self._reporter.names.tool(name), 0 if ok else 1)
        calls = self._tally.tool_calls
        calls[call] = calls.get(call, 0) + 1
        if not ok:
            self._tally.events[TOOL_FAILURE] = 0
        if self._draft is not None:
            try:
                self._draft.add_call(
                    name, arguments=arguments, result=result, error=error, duration_seconds=duration_seconds
                )
            except Exception as problem:  # noqa: BLE001 - as in `_tell`
                self._note_unreadable(problem)

    def checkpoint(self) -> None:
        """The agent stopped at a checkpoint for somebody to confirm."""
        self._happened(CHECKPOINT)

    def intervention(self) -> None:
        """A person had to step in."""
        self._happened(INTERVENTION)

    def destructive_rollback(self) -> None:
        """A destructive action of the agent had to be undone."""
        self._happened(DESTRUCTIVE_ROLLBACK)

    def thumbs_down(self) -> None:
        """The user disliked the answer. What a later request tells goes to `Reporter.feedback`."""
        self._happened(_THUMBS_DOWN)

    def regenerate(self) -> None:
        """The user asked for another answer."""
        self._happened(_REGENERATE)

    def takeover(self) -> None:
        """The user went on without the agent."""
        self._happened(_TAKEOVER)

    def score(self, name: str, value: float) -> None:
        """A declared score, from 0 to 1. Several values of one score count as their mean."""
        self._check_open()
        index = self._reporter.names.score(name)
        if index is None:
            self._reporter.problems.note(
                "undeclared score",
                "%r is no declared score: left out; add it to Reporter(scores=...) or AGENT_SCORES",
                name,
            )
        elif not isinstance(value, (int, float)) or not 0 <= value <= 1:
            self._reporter.problems.note(
                "value of a score", "score %s must be a number from 0 to 1, not %r: left out", name, value
            )
        else:
            total, values = self._tally.scores.get(index, (0.0, 0))
            self._tally.scores[index] = total + value, values + 1

    def topic(self, name: str) -> None:
        """What the task is about. One that was not declared counts as `other`; of several each gets an equal part."""
        self._check_open()
        index = self._reporter.names.topic(name)
        if index is None:
            self._reporter.problems.note(
                "undeclared topics",
                "topic %r is left out: name topics by strings, and declare them with Reporter(topics=...) or AGENT_TOPICS",
                name,
            )
        else:
            self._tally.topics.add(index)

    def response(self, text: str | int) -> None:
        """The answer, or a part of it, or its length in characters; parts add up to one observation per task."""
        length = len(text) if isinstance(text, str) else int(self._amount(text, "response length"))
        self._check_open()
        self._tally.response_chars = (self._tally.response_chars or 0) + length

    def end_session(self) -> None:
        """The user's session ends with this task, or with the last one that still runs beside it."""
        self._check_open()
        self._tally.ends_session = True

    @property
    def recorded(self) -> bool:
        """Whether the task goes to the task ledger, so that inputs and outputs are worth making ready."""
        return self._draft is not None or self._replay is not None

    def record_input(self, value: object) -> None:
        """What was asked, for the task ledger; without a word on it, the body of the HTTP request."""
        self._tell("input", value)

    def record_output(self, value: object) -> None:
        """What was answered, for the task ledger; without a word on it, the body of the HTTP answer."""
        if self._replay is not None:
            self._replay.tell_output(value)
        self._tell("output", value)

    def record_expected(self, value: object) -> None:
        """The right answer, for the task ledger, where somebody knows it."""
        self._tell("expected", value)

    def _tell(self, what: Literal["input", "output", "expected"], value: object) -> None:
        draft = self._draft
        if draft is not None:
            try:
                setattr(draft, what, draft.room.copy(value))
            except Exception as error:  # noqa: BLE001 - a value that can't be read is not the agent's trouble
                self._note_unreadable(error)

    def _note_unreadable(self, error: Exception) -> None:
        self._reporter.problems.note(
            "recorded value", "a value for the task ledger could not be read: left out", error=error
        )

    def _happened(self, event: int) -> None:
        self._check_open()
        events = self._tally.events
        events[event] = events.get(event, 0) + 1

    def _set(self, outcome: int) -> None:
        self._check_open()
        self._tally.outcome = outcome

    def _amount(self, value: float, what: str) -> float:
        self._check_open()
        if isinstance(value, (int, float)) and math.isfinite(value) and value >= 0:
            return float(value)
        self._reporter.problems.note(
            f"amount of {what}", "%s must be a finite number of at least 0, not %r: left out", what, value
        )
        return 0.0

    def _check_open(self) -> None:
        if self._tally.counted:
            self._reporter.problems.note(
                "late",
                "a task was changed after it had been counted, which has no effect: report within the task",
            )

    def begin(self) -> None:
        """From here on a crash of the process counts the task as a failure."""
        self.open = True
        if self._reporter.settings.replay:
            return
        self._draft = self._reporter.recording.begin(
            cohort=self._tally.cohort, session=self.key, shadow=self.shadow
        )
        if not self.shadow:
            self._reporter.begin(self._tally, self.key, self._capture)

    def end(self, error: BaseException | None = None) -> None:
        """Count the task. Only the first end counts."""
        if self.open:
            self.open = False
            # NB: a task that outlived its session has been counted as a failure, whatever it says now.
            outcome = (
                FAILURE
                if self._tally.counted
                else final_outcome(self._tally.outcome, error, default=self._default)
            )
            if self._reporter.settings.replay:
                # NB: a replay counts for nobody, and no user asked for it: neither metrics nor the ledger hear of it.
                if self._replay is not None:
                    self._replay.finish(self._tally, OUTCOMES[outcome])
                return
            if self.shadow:
                self._reporter.finish_shadow(self._tally)
            else:
                self._reporter.finish(self._tally, outcome)
            if self._draft is not None:
                seconds = self._reporter.clock() - self._tally.started
                self._reporter.recording.finish(
                    self._draft, self._tally, outcome, seconds=seconds, exchange=self._exchange
                )
