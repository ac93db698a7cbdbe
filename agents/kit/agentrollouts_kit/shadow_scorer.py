"""Scores a sample of sessions by how alike this version and the stable one answer the same request.

The first task of a sampled session is asked once more, as a shadow, when its answer is out. Only one task, because a
session counts once: a second shadow of the same session costs as much as the first of another one and tells less. And the
first, because every session has one, so that a long session is no more likely to be sampled than a short one; and because
it needs no history, which the stable version would not have.

Everything here is beside the agent's work: two daemon threads, a short queue, a cap per minute and a timeout. Whatever goes
wrong costs the score and nothing else, and is counted by its reason.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import random
import threading
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agentrollouts_kit.answer_text import answer_text
from agentrollouts_kit.capture import Answer, Capture, Request
from agentrollouts_kit.context import RequestContext
from agentrollouts_kit.pace import Pace
from agentrollouts_kit.shadow_call import ShadowFailedError, ShadowRefusedError, ask_stable
from agentrollouts_kit.shadow_ledger import await_score, drop_score, give_score
from agentrollouts_kit.tally import Session, Tally
from agentrollouts_kit.vocabulary import COHORTS, OUTPUT_SIMILARITY, ShadowDrop

if TYPE_CHECKING:
    from agentrollouts_kit.reporter import Reporter

logger = logging.getLogger("agentrollouts_kit")
Similarity = Callable[[str, str], float]
"""From the texts of two answers, this version's first, to a number from 0 (nothing alike) to 1 (the same)."""

WORKERS: Final = 2
QUEUE: Final = 16
_ASKING: Final = (COHORTS.index("candidate"), COHORTS.index("control"))


class _DropError(Exception):
    """No score comes of it."""

    def __init__(self, reason: ShadowDrop, why: object = "") -> None:
        super().__init__(why or reason)
        self.reason: ShadowDrop = reason


class _Job(NamedTuple):
    """A session that waits, what to ask and what to compare with; `since` is by the reporter's clock."""

    session: Session
    request: Request
    answer: Answer
    since: float


class ShadowScorer:
    """One per process; its threads begin with the first shadow. `chance` gives numbers from 0 to 1, 1 excluded."""

    def __init__(
        self, reporter: Reporter, *, similarity: Similarity, chance: Callable[[], float] = random.random
    ) -> None:
        self._reporter = reporter
        self._settings = reporter.settings
        self._similarity = similarity
        self._chance = chance
        self._pace = Pace(reporter.settings.shadow_per_minute, clock=reporter.clock)
        self._queue: queue.Queue[_Job | None] = queue.Queue(QUEUE)
        self._waiting: set[Session] = set()
        self._threads: list[threading.Thread] = []
        self._told: set[ShadowDrop] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def sample(self, scope: MutableMapping[str, Any], context: RequestContext) -> Capture | None:
        """What looks on at a request that is sampled: one of a cohort that is compared, and no shadow itself."""
        percent = self._settings.shadow_percent
        if not percent or self._stopped or context.shadow or context.cohort not in _ASKING:
            return None
        if self._chance() * 100 >= percent:
            return None
        return Capture(scope, headers=self._settings.shadow_headers)

    def await_score(self, capture: Capture, tally: Tally) -> None:
        """A task of a sampled request has begun: its session waits for the score if this is its first task."""
        if not self._stopped:
            ledger = self._reporter.ledger
            capture.claim(lambda: tally.session if await_score(ledger, tally) else None)

    def submit(self, capture: Capture) -> None:
        """The sampled request has been answered: ask it again soon, or drop it. Never waits and never raises."""
        session = capture.end()
        if session is None:
            return
        try:
            self._enqueue(session, capture)
        except _DropError as drop:
            self._drop(session, drop)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a shadow is not the agent's
            self._reporter.problems.note("shadow", "a shadow could not be asked: this is a bug", error=error)
            self._drop(session, _DropError("failed", error))

    def stop(self) -> None:
        """Ask nothing any more: every session that waits goes on without a score, those under way included."""
        with self._lock:
            self._stopped = True
            left, self._waiting = tuple(self._waiting), set()
        for session in left:
            self._drop(session, _DropError("stopping"))
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        for _ in self._threads:
            self._queue.put(None)

    def _enqueue(self, session: Session, capture: Capture) -> None:
        request, answer = capture.request(), capture.answer()
        if request is None or answer is None:
            raise _DropError("unusable", "the request or its answer was not whole, too large, or no success")
        if not self._pace.allow():
            raise _DropError("rate")
        with self._lock:
            if self._stopped:
                raise _DropError("stopping")
            try:
                self._queue.put_nowait(_Job(session, request, answer, self._reporter.clock()))
            except queue.Full:
                raise _DropError("queue") from None
            self._waiting.add(session)
            if not self._threads:
                self._threads = [self._start(number) for number in range(WORKERS)]

    def _start(self, number: int) -> threading.Thread:
        thread = threading.Thread(target=self._work, name=f"agent-shadow-{number}", daemon=True)
        thread.start()
        return thread

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            if not self._is_waiting(job.session):
                continue
            try:
                result: float | _DropError = self._value(job)
            except _DropError as drop:
                result = drop
            except Exception as error:  # noqa: BLE001 - the thread has to live on
                self._reporter.problems.note(
                    "shadow", "a shadow could not be scored: this is a bug", error=error
                )
                result = _DropError("failed", error)
            self._conclude(job.session, result)

    def _is_waiting(self, session: Session) -> bool:
        with self._lock:
            return session in self._waiting

    def _conclude(self, session: Session, result: float | _DropError) -> None:
        with self._lock:
            if session not in self._waiting:
                return
            self._waiting.discard(session)
        if isinstance(result, _DropError):
            self._drop(session, result)
            return
        reporter = self._reporter
        score = reporter.names.score(OUTPUT_SIMILARITY)
        if score is None or not give_score(reporter.ledger, session, score=score, value=result):
            self._drop(session, _DropError("session_closed"))

    def _value(self, job: _Job) -> float:
        settings = self._settings
        mine = self._text(job.answer)
        if self._reporter.clock() - job.since > settings.shadow_timeout_seconds:
            raise _DropError("queue", "waited too long for its turn")
        try:
            answer = ask_stable(
                settings.shadow_url,
                job.request,
                cohort=COHORTS[job.session.cohort],
                timeout_seconds=settings.shadow_timeout_seconds,
            )
        except ShadowRefusedError as error:
            raise _DropError("refused", error) from error
        except ShadowFailedError as error:
            raise _DropError("failed", error) from error
        return self._compare(mine, self._text(answer))

    def _text(self, answer: Answer) -> str:
        field = self._settings.shadow_field
        text = answer_text(answer.body, answer.content_type, field=field)
        if text is None:
            raise _DropError(
                "unusable",
                f"no text to compare in an answer of type {answer.content_type or 'unknown'} "
                f"{f'at {field}' if field else 'without AGENT_SHADOW_FIELD'}: name the field that has it",
            )
        return text

    def _compare(self, mine: str, theirs: str) -> float:
        try:
            value = self._similarity(mine, theirs)
        except Exception as error:
            self._reporter.problems.note("similarity", "the similarity raised: mend it", error=error)
            raise _DropError("similarity_error", error) from error
        if isinstance(value, (int, float)) and 0 <= value <= 1:
            return float(value)
        self._reporter.problems.note(
            "similarity", "the similarity must be a number from 0 to 1, not %r: left out", value
        )
        raise _DropError("similarity_error", value)

    def _drop(self, session: Session, drop: _DropError) -> None:
        """Tell each reason once, and count it each time."""
        level = logging.DEBUG if drop.reason in self._told else logging.INFO
        self._told.add(drop.reason)
        logger.log(level, "no output_similarity for a session, %s: %s", drop.reason, drop)
        try:
            drop_score(self._reporter.ledger, session, drop.reason)
        except Exception as error:  # noqa: BLE001 - as above
            self._reporter.problems.note("shadow", "a dropped shadow could not be counted", error=error)
