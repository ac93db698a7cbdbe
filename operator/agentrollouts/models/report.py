"""What a step uses, as people and programs read it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from agentrollouts.models.resolve import FIELDS, Setting, Used


def shown(steps: Sequence[Used]) -> str:
    """A block a step, a line a value: what it is, where that is said, and what was said elsewhere."""
    rows = {used.step: _rows(used) for used in steps}
    flat = [row for found in rows.values() for row in found]
    names, values = (max((len(row[column]) for row in flat), default=0) for column in (0, 1))
    lines: list[str] = []
    for step, found in rows.items():
        lines.append(step)
        lines += [f"  {name:{names}}  {value:{values}}  {place}" for name, value, place in found]
    return "".join(f"{line}\n" for line in lines)


def document(agent: str, steps: Iterable[Used]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "agent": agent,
        "steps": {
            used.step: {
                name: {"value": used.settings[name].value, "from": _chain(used.settings[name])}
                for name in _order(used)
            }
            for used in steps
        },
    }


def _rows(used: Used) -> list[tuple[str, str, str]]:
    return [(name, _value(used.settings[name]), _places(used.settings[name])) for name in _order(used)]


def _order(used: Used) -> list[str]:
    first = [field for field in FIELDS if field in used.settings]
    return [*first, *sorted(name for name in used.settings if name not in FIELDS)]


def _value(setting: Setting) -> str:
    value = setting.value
    if value is None:
        return "not sent"
    return value if isinstance(value, str) else json.dumps(value)


def _places(setting: Setting) -> str:
    before = setting.before
    return f"{setting.place}" + (f" (instead of {_value(before)} of {_places(before)})" if before else "")


def _chain(setting: Setting) -> list[dict[str, Any]]:
    """What was said, the strongest first."""
    rest = _chain(setting.before) if setting.before else []
    return [{"document": setting.place.document, "path": setting.place.path, "value": setting.value}, *rest]
