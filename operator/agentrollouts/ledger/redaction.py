"""What must not be stored is taken out before it is: by patterns that come with the ledger, and by a function of the user's."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from agentrollouts.api.task import TaskRecord
from agentrollouts.ledger.errors import RedactionError

Redact = Callable[[str], str]
"""From a string to what of it may be stored."""

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.)+[A-Za-z]{2,24}")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_KEY = re.compile(
    r"""-----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                     # AWS
    | \bgh[pousr]_[A-Za-z0-9]{36,}                      # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{22,}
    | \bglpat-[A-Za-z0-9_-]{20,}                        # GitLab
    | \bsk-[A-Za-z0-9_-]{20,}                           # OpenAI, Anthropic and others
    | \b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}            # Stripe
    | \bAIza[0-9A-Za-z_-]{35}                           # Google
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}                  # Slack
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}   # JSON Web Tokens
    """,
    re.VERBOSE | re.DOTALL,
)


def _emails(text: str) -> str:
    return _EMAIL.sub("[email]", text)


def _cards(text: str) -> str:
    return _CARD.sub(lambda found: "[card]" if _passes_luhn(found[0]) else found[0], text)


def _keys(text: str) -> str:
    return _KEY.sub("[key]", text)


def _passes_luhn(number: str) -> bool:
    """Whether the check digit is right: nine of ten numbers that only look like a card's fail it."""
    digits = [int(character) for character in reversed(number) if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


PATTERNS: Final[Mapping[str, Redact]] = {"keys": _keys, "emails": _emails, "cards": _cards}
"""The patterns by the names that the setting takes, in the order in which they are applied."""


def load_hook(name: str) -> Redact:
    """The function that is written as `module:function`.

    Raises:
        ValueError: there is none that can be imported and called.
    """
    module, _, function = name.partition(":")
    try:
        hook = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"expected module:function as redaction hook; {name!r} can't be imported ({error})"
        ) from error
    if callable(hook):
        return hook  # type: ignore[no-any-return]
    raise ValueError(f"expected a function as redaction hook; {name!r} is a {type(hook).__name__}")


def redacted(record: TaskRecord, steps: Sequence[Redact]) -> TaskRecord:
    """The record with every string that users, models and tools wrote redacted by each step in turn.

    Raises:
        RedactionError: a step raised, or gave no string.
    """
    if not steps:
        return record
    calls = tuple(
        call.model_copy(
            update={
                "arguments": redacted_value(call.arguments, steps),
                "result": redacted_value(call.result, steps),
                "error": redacted_value(call.error, steps),
            }
        )
        for call in record.tool_calls
    )
    values = {name: redacted_value(getattr(record, name), steps) for name in ("input", "output", "expected")}
    return record.model_copy(update={**values, "tool_calls": calls})


def redacted_value(value: JsonValue, steps: Sequence[Redact]) -> JsonValue:
    """The same for any JSON value, the names in its objects included. RedactionError as above."""
    if isinstance(value, str):
        return _applied(value, steps)
    if isinstance(value, list):
        return [redacted_value(item, steps) for item in value]
    if isinstance(value, dict):
        found: dict[str, JsonValue] = {}
        for name, item in value.items():
            found[_free(_applied(name, steps), found)] = redacted_value(item, steps)
        return found
    return value


def _applied(text: str, steps: Sequence[Redact]) -> str:
    for step in steps:
        try:
            text = step(text)
        except Exception as error:
            # NB: its message may quote what it was given.
            raise RedactionError(f"the redaction raised {type(error).__name__}") from error
        if not isinstance(text, str):
            raise RedactionError(f"the redaction gave a {type(text).__name__} instead of a string")
    return text


def _free(name: str, taken: Mapping[str, JsonValue]) -> str:
    """Two names may be redacted to the same one: neither's value is lost."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free
