"""The block of code that is a task: which task runs here, and the context manager that begins and ends it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING

from agentrollouts_kit.task import Task
from agentrollouts_kit.vocabulary import Outcome

if TYPE_CHECKING:
    from agentrollouts_kit.reporter import Reporter

running: ContextVar[Task | None] = ContextVar("agentrollouts_task", default=None)


@contextlib.contextmanager
def active(task: Task) -> Iterator[None]:
    """Make the task the current one inside the block."""
    token = running.set(task)
    try:
        yield
    finally:
        _restore(token)


def _restore(token: Token[Task | None]) -> None:
    # A generator may be closed in another context than it was started in: nothing to restore there.
    with contextlib.suppress(ValueError):
        running.reset(token)


class TaskScope:
    """What `task()` returns: a context manager, sync or async. A scope inside another joins the outer one's task.

    Only the outermost scope begins and ends the task, so that an agent made of decorated parts counts each task once.
    """

    __slots__ = ("_begun", "_default", "_reporter")

    def __init__(self, reporter: Reporter, *, default_outcome: Outcome | None = None) -> None:
        self._reporter = reporter
        self._default = default_outcome
        self._begun: tuple[Task, Token[Task | None]] | None = None

    def __enter__(self) -> Task:
        outer = running.get()
        if outer is not None and outer.open:
            return outer
        task = Task(self._reporter, default_outcome=self._default)
        task.begin()
        self._begun = task, running.set(task)
        return task

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._begun is not None:
            (task, token), self._begun = self._begun, None
            task.end(error)
            _restore(token)

    async def __aenter__(self) -> Task:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
