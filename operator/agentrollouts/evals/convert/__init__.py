"""Results of other tools in the neutral form. A tool is one file with ``convert(value)`` and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from agentrollouts.evals.attempts import results_of
from agentrollouts.evals.convert import deepeval, inspect, inspect_archive, promptfoo
from agentrollouts.evals.convert.converted import Converted
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.results import Results, parsed


class Tool(StrEnum):
    """Whose results can be read."""

    PROMPTFOO = "promptfoo"
    DEEPEVAL = "deepeval"
    INSPECT = "inspect"


CONVERTERS: Mapping[Tool, Callable[[Any], Converted]] = MappingProxyType(
    {Tool.PROMPTFOO: promptfoo.convert, Tool.DEEPEVAL: deepeval.convert, Tool.INSPECT: inspect.convert}
)


def convert(body: bytes, tool: Tool, **about: Any) -> Results:
    """The results in a tool's output file; ``about`` are fields of the results, such as the agent.

    Raises:
        InputError: it is no such file, holds no case, or what it holds can't be told in scores from 0 to 1.
    """
    try:
        found = CONVERTERS[tool](_value(body, tool))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(
            f"expected results of {tool}; {place}: {first['msg'].removeprefix('Value error, ')}"
        ) from error
    if not found.attempts:
        raise InputError(f"expected results of {tool} with at least one case; got none")
    return results_of(found.attempts, partial=found.partial, **about)


def _value(body: bytes, tool: Tool) -> Any:
    if tool is Tool.INSPECT and inspect_archive.is_archive(body):
        return inspect_archive.log_of(body)
    try:
        return parsed(body.decode())
    except UnicodeDecodeError as error:
        raise InputError(f"expected results of {tool} as JSON; it is no UTF-8 text") from error
