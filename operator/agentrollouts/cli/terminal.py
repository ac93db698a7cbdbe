"""Where output goes: a terminal with colours, a pipe without, or the objects themselves."""

from __future__ import annotations

import json
import sys
from typing import Any

import yaml
from rich.console import Console

from agentrollouts.cli.options import Format

PIPE_WIDTH = 200
"""Characters a line may have where no terminal says how wide it is: a log wraps nothing."""


def console(*, no_color: bool = False) -> Console:
    """Standard output. Text is never read as markup: messages may hold square brackets."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    # None leaves it to $NO_COLOR, as everybody expects it.
    return Console(
        no_color=no_color or None, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False
    )


def dump(value: Any, form: Format) -> str:
    """Objects as kubectl prints them, without the bookkeeping of field managers."""
    plain = _without_managed_fields(value)
    if form is Format.JSON:
        return json.dumps(plain, indent=2, ensure_ascii=False)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).rstrip()


def _without_managed_fields(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_managed_fields(item) for key, item in value.items() if key != "managedFields"}
    return [_without_managed_fields(item) for item in value] if isinstance(value, (list, tuple)) else value
