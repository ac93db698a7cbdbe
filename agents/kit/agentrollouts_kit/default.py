"""The reporter that `task()` uses where none is named, and the functions that need one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, overload

from agentrollouts_kit.context import current
from agentrollouts_kit.decorate import decorate
from agentrollouts_kit.reporter import Reporter
from agentrollouts_kit.scope import TaskScope, running
from agentrollouts_kit.task import Task
from agentrollouts_kit.vocabulary import Feedback, Outcome

Function = TypeVar("Function", bound=Callable[..., Any])
_lock = threading.Lock()
_default: Reporter | None = None


def default_reporter() -> Reporter:
    """The reporter of this process, made from the environment at the first call.

    ValueError when a variable is wrong; that is at the start for an agent with the middleware.
    """
    global _default
    with _lock:
        if _default is None:
            _default = Reporter()
        return _default


def use_reporter(reporter: Reporter) -> Reporter:
    """Make this the reporter of the process; call it before the first task. Returns it."""
    global _default
    with _lock:
        _default = reporter
        return reporter


def reporter_in_use() -> Reporter:
    """The reporter of the current request, else that of the process."""
    return current.get().reporter or default_reporter()


class TaskFactory:
    """What `task(...)` makes: a context manager by itself, a decorator when put on a function."""

    __slots__ = ("_default", "_reporter", "_scope")

    def __init__(self, reporter: Reporter | None, default_outcome: Outcome | None) -> None:
        self._reporter = reporter
        self._default = default_outcome
        self._scope: TaskScope | None = None

    def __call__(self, function: Function, /) -> Function:
        """Make each call of the function a task."""
        return decorate(function, scope=self._new_scope, task=self._new_task)

    def __enter__(self) -> Task:
        self._scope = self._new_scope()
        return self._scope.__enter__()

    def __exit__(self, *error: object) -> None:
        if self._scope is not None:
            self._scope.__exit__(*error)  # type: ignore[arg-type]

    async def __aenter__(self) -> Task:
        return self.__enter__()

    async def __aexit__(self, *error: object) -> None:
        self.__exit__(*error)

    def _new_scope(self) -> TaskScope:
        return TaskScope(self._reporter or reporter_in_use(), default_outcome=self._default)

    def _new_task(self) -> Task:
        return Task(self._reporter or reporter_in_use(), default_outcome=self._default)


@overload
def task(function: Function, /) -> Function: ...
@overload
def task(*, reporter: Reporter | None = None, default_outcome: Outcome | None = None) -> TaskFactory: ...
def task(
    function: Function | None = None,
    /,
    *,
    reporter: Reporter | None = None,
    default_outcome: Outcome | None = None,
) -> Function | TaskFactory:
    """Count one task: a sync or async context manager, and a decorator for any kind of function.

    A task within a task joins it. One that returns normally without a word on its outcome counts as
    `default_outcome` (success unless set otherwise); one that raises is a failure.
    """
    factory = TaskFactory(reporter, default_outcome)
    return factory if function is None else factory(function)


def current_task() -> Task:
    """The task that runs here. Outside of any, one that is never counted, so that tools need not ask."""
    return running.get() or Task(reporter_in_use())


def feedback(event: Feedback) -> bool:
    """Count what a user did about an earlier task of the current request's session; see `Reporter.feedback`."""
    session = current.get().session
    return session is not None and reporter_in_use().feedback(session, event)


def close_session() -> None:
    """Close the session of the current request, after its tasks that still run."""
    reporter_in_use().close_session()
