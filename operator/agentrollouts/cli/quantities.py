"""Numbers as people type them in options. Each raises typer.BadParameter with what was expected and what was seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from types import MappingProxyType
from typing import TypeVar

import typer

from agentrollouts.api.scalars import FULL, parse_duration, parse_percent

T = TypeVar("T")
_RATE = re.compile(r"^([0-9]{1,7}(?:\.[0-9]{1,4})?)/(s|min|h|d)$")
_PER_MINUTE = MappingProxyType({"s": 60.0, "min": 1.0, "h": 1 / 60.0, "d": 1 / 1440.0})
_EFFECT = re.compile(r"^([+-]?)([0-9]{1,2}(?:\.[0-9]{1,2})?|100)(?:%|pt|points)?$")


def traffic(text: str) -> float:
    """``20/min``, ``3/s``, ``100/h``: sessions per minute."""
    found = _RATE.fullmatch(text)
    if found is None or float(found[1]) == 0.0:
        raise _wrong("--traffic", f"expected sessions by time, such as 20/min, 3/s or 100/h; got {text!r}")
    return float(found[1]) * _PER_MINUTE[found[2]]


def share(text: str, option: str) -> float:
    """``95%``: a fraction."""
    return _or_wrong(option, parse_percent, text) / FULL


def effect(text: str) -> float:
    """``-10``: ten points worse, as a fraction."""
    found = _EFFECT.fullmatch(text)
    if found is None:
        raise _wrong("--effect", f"expected points of success from -100 to 100, such as -10; got {text!r}")
    return float(f"{found[1]}{found[2]}") / 100.0


def duration(text: str, option: str) -> timedelta:
    """``7d``, ``36h``, ``1h30m``; more than nothing."""
    days = re.fullmatch(r"([0-9]{1,3})d", text)
    found = timedelta(days=int(days[1])) if days else _or_wrong(option, parse_duration, text)
    if not found:
        raise _wrong(option, f"expected more than nothing, such as 7d or 36h; got {text!r}")
    return found


def approval(text: str) -> timedelta | None:
    """``0s``, ``2h``: how long people take; ``never``."""
    return None if text == "never" else _or_wrong("--approval", parse_duration, text)


def _or_wrong(option: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise _wrong(option, str(error)) from error


def _wrong(option: str, sentence: str) -> typer.BadParameter:
    return typer.BadParameter(sentence, param_hint=option)
