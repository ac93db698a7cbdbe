"""What is evaluated: anything that answers tasks. Here a Python function; ``http_target`` has the other kind."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from agentrollouts.evals.errors import InputError


class TargetError(Exception):
    """No answer: what came instead. It is the version's failure and not the evaluation's."""


class Target(Protocol):
    """Where a task goes."""

    async def ask(self, inputs: Any, session: str, /) -> Any:
        """The answer. Any exception is the version's failure; ``session`` is another one for each case and repeat."""


class FunctionTarget:
    """Calls a function with each task's inputs; one that isn't async runs in a thread."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    async def ask(self, inputs: Any, _session: str, /) -> Any:
        """What the function returns; the session is ours alone."""
        if inspect.iscoroutinefunction(self._function):
            return await self._function(inputs)
        value = await _in_thread(partial(self._function, inputs))
        return await value if inspect.isawaitable(value) else value


def function_named(name: str) -> Callable[[Any], Any]:
    """The function at ``module:function``, looked for in the working directory, too.

    Raises:
        InputError: there is no such module or function, or the module breaks when it is imported.
    """
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise InputError(f"--target: expected a URL or module:function; got {name!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise InputError(f"--target: can't import {module_name}: {type(error).__name__}: {error}") from error
    for part in path.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise InputError(f"--target: expected a function {path!r} in {module_name}; there is none")
    return found  # type: ignore[no-any-return]


def is_url(name: str) -> bool:
    """Whether a target is asked over HTTP."""
    return name.startswith(("http://", "https://"))


def _in_thread(call: Callable[[], Any]) -> Awaitable[Any]:
    # NB: not asyncio.to_thread: its threads are waited for at exit, so a function that hangs would outlive its timeout for ever.
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(value)
        else:
            answer.set_exception(error)

    def work() -> None:
        outcome: tuple[Any, BaseException | None]
        try:
            outcome = (call(), None)
        except StopIteration as error:  # a future can't hold it
            outcome = (None, RuntimeError(repr(error)))
        except BaseException as error:  # noqa: BLE001 - SystemExit of a task is the task's failure
            outcome = (None, error if isinstance(error, Exception) else RuntimeError(repr(error)))
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, daemon=True).start()
    return answer
