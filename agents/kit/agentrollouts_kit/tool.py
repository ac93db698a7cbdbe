"""The decorator for a tool: its calls are reported with what was asked and answered, and a replay is answered from the record.

What reaches beyond the process belongs inside; what the agent notes down for itself belongs outside, so that it is noted in a replay, too.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn, TypeVar, overload

from agentrollouts_kit.context import current
from agentrollouts_kit.default import current_task, reporter_in_use
from agentrollouts_kit.release import safe_tools
from agentrollouts_kit.replay import LIVE, Answered, Replay, without_defaults

Function = TypeVar("Function", bound=Callable[..., Any])


class ToolReplayError(Exception):
    """What a tool call ends with in a replay: as it did then, or because the record has no such call."""


@overload
def tool(function: Function, /) -> Function: ...
@overload
def tool(
    *,
    name: str = "",
    without: Collection[str] = (),
    fails_with: Callable[[str], Exception] = ToolReplayError,
    restore: Callable[[Any], Any] | None = None,
) -> Callable[[Function], Function]: ...
def tool(
    function: Function | None = None,
    /,
    *,
    name: str = "",
    without: Collection[str] = (),
    fails_with: Callable[[str], Exception] = ToolReplayError,
    restore: Callable[[Any], Any] | None = None,
) -> Function | Callable[[Function], Function]:
    """Make a function, async or not, a tool. Its name is the function's.

    `without` are parameters that are no arguments of the call, such as a framework's context. `fails_with` makes what a failed call
    raises in a replay: the exception that the framework shows to the model. `restore` makes the result out of its JSON, for a tool that
    returns more than JSON can hold. The calls are reported here, so don't report them with `Task.tool_call` as well.

    Raises:
        TypeError: it is a generator, whose result comes in pieces.
    """

    def decorate(wrapped: Function) -> Function:
        if inspect.isgeneratorfunction(wrapped) or inspect.isasyncgenfunction(wrapped):
            raise TypeError(f"{wrapped.__name__} is a generator: a tool must return its result as a whole")
        spec = _Spec(wrapped, name or wrapped.__name__, without, fails_with, restore)
        made = _coroutine(wrapped, spec) if inspect.iscoroutinefunction(wrapped) else _plain(wrapped, spec)
        return functools.wraps(wrapped)(made)  # type: ignore[return-value]

    return decorate if function is None else decorate(function)


class _Spec:
    """What is known of a tool beforehand."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        without: Collection[str],
        fails_with: Callable[[str], Exception],
        restore: Callable[[Any], Any] | None,
    ) -> None:
        self.name, self.fails_with, self.restore = name, fails_with, restore
        self._signature = inspect.signature(function)
        self._without = frozenset(without)
        self.defaults: Mapping[str, Any] = {
            key: item.default
            for key, item in self._signature.parameters.items()
            if item.default is not inspect.Parameter.empty
        }

    def begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Call:
        return _Call(self, self._arguments(args, kwargs))

    def _arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        try:
            bound = self._signature.bind(*args, **kwargs).arguments
        except TypeError:
            # The function will say so itself; in a replay there is no such call on record.
            return None
        named = {key: value for key, value in bound.items() if key not in self._without}
        return without_defaults(named, self.defaults)


class _Call:
    """One call under way."""

    def __init__(self, spec: _Spec, arguments: object) -> None:
        self._spec, self._arguments = spec, arguments
        self._replay = replay_in_use()
        current_task().reported_tools.add(spec.name)
        self._began = time.perf_counter()
        self.answered: Answered | None = None
        if self._replay is not None:
            self.answered = self._replay.answer(spec.name, arguments, defaults=spec.defaults)

    @property
    def runs(self) -> bool:
        """Whether the function is to be called."""
        return self.answered is None or self.answered.source == LIVE

    def replayed(self) -> Any:
        """The answer of the record. Raises what `fails_with` makes, where it is an error or there is none."""
        found = self.answered
        assert found is not None
        self._note(found.error)
        if found.error is not None:
            self._fail(found.error)
        return self._spec.restore(found.result) if self._spec.restore else found.result

    def succeeded(self, result: object) -> None:
        if self._replay is not None:
            self._note(None)
            return
        self._report(ok=True, result=result, error=None)

    def failed(self, error: Exception) -> None:
        if self._replay is not None:
            self._note(str(error) or type(error).__name__)
            return
        self._report(ok=False, result=None, error=str(error) or type(error).__name__)

    def _fail(self, why: str) -> NoReturn:
        raise self._spec.fails_with(why)

    def _note(self, error: str | None) -> None:
        assert self._replay is not None
        assert self.answered is not None
        self._replay.note(
            self._spec.name, arguments=self._arguments, error=error, source=self.answered.source
        )

    def _report(self, *, ok: bool, result: object, error: str | None) -> None:
        current_task().tool_call(
            self._spec.name,
            ok=ok,
            arguments=self._arguments,
            result=result,
            error=error,
            duration_seconds=time.perf_counter() - self._began,
        )


def replay_in_use() -> Replay | None:
    """The replay that runs here. In replay mode there always is one: outside of a request it has no record."""
    found = current.get().replay
    if found is not None:
        return found
    settings = reporter_in_use().settings
    return Replay(safe_tools=safe_tools(settings.safe_tools)) if settings.replay else None


def _plain(function: Callable[..., Any], spec: _Spec) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        made = spec.begin(args, kwargs)
        if not made.runs:
            return made.replayed()
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            made.failed(error)
            raise
        made.succeeded(result)
        return result

    return call


def _coroutine(function: Callable[..., Any], spec: _Spec) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        made = spec.begin(args, kwargs)
        if not made.runs:
            return made.replayed()
        try:
            result = await function(*args, **kwargs)
        except Exception as error:
            made.failed(error)
            raise
        made.succeeded(result)
        return result

    return call
