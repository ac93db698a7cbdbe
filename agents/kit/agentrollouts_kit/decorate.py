"""The decorator form of `task` for each kind of function; a generator is one task from its first step to its end."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, TypeVar

from agentrollouts_kit.scope import TaskScope, active, running
from agentrollouts_kit.task import Task

Function = TypeVar("Function", bound=Callable[..., Any])


def decorate(function: Function, *, scope: Callable[[], TaskScope], task: Callable[[], Task]) -> Function:
    """Wrap a plain, async, generator or async generator function; `scope` and `task` make a new one per call."""
    wrapper: Callable[..., Any]
    if inspect.isasyncgenfunction(function):
        wrapper = _async_generator(function, task)
    elif inspect.isgeneratorfunction(function):
        wrapper = _generator(function, task)
    elif inspect.iscoroutinefunction(function):
        wrapper = _coroutine(function, scope)
    else:
        wrapper = _plain(function, scope)
    return functools.wraps(function)(wrapper)  # type: ignore[return-value]


def _plain(function: Callable[..., Any], scope: Callable[[], TaskScope]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with scope():
            return function(*args, **kwargs)

    return call


def _coroutine(function: Callable[..., Any], scope: Callable[[], TaskScope]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with scope():
            return await function(*args, **kwargs)

    return call


def _generator(function: Callable[..., Any], task: Callable[[], Task]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, None, Any]:
        outer = running.get()
        if outer is not None and outer.open:
            result = yield from function(*args, **kwargs)
            return result
        own, steps = task(), function(*args, **kwargs)
        own.begin()
        error: BaseException | None = None
        try:
            while True:
                # The task is current during a step only: what runs between two steps is the consumer's.
                with active(own):
                    try:
                        item = next(steps)
                    except StopIteration as stop:
                        return stop.value
                yield item
        except BaseException as raised:
            error = raised
            raise
        finally:
            try:
                with active(own):
                    steps.close()
            finally:
                own.end(error)

    return call


def _async_generator(function: Callable[..., Any], task: Callable[[], Task]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        outer, steps = running.get(), function(*args, **kwargs)
        own = None if outer is not None and outer.open else task()
        current = own or outer
        assert current is not None
        if own is not None:
            own.begin()
        error: BaseException | None = None
        try:
            while True:
                with active(current):
                    try:
                        item = await anext(steps)
                    except StopAsyncIteration:
                        return
                yield item
        except BaseException as raised:
            error = raised
            raise
        finally:
            try:
                with active(current):
                    await steps.aclose()
            finally:
                if own is not None:
                    own.end(error)

    return call
