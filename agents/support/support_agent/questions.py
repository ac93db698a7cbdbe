"""What a customer wants, told from the words. The check of an answer starts here, so it must not ask the model.

The offline model reads the same words: it stands for a model that understands everything and errs at a known rate.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

_ORDER: Final = re.compile(r"\bA-\d{4}\b")


class Intent(StrEnum):
    """What kind of task a question is."""

    STATUS = "status"
    REFUND = "refund"
    FAQ = "faq"
    PERSON = "person"
    FORBIDDEN = "forbidden"


_SIGNS: Final = (
    (Intent.FORBIDDEN, ("address of", "card number", "who ordered", "password")),
    (Intent.PERSON, ("a person", "a human", "your manager", "complaint")),
    (Intent.REFUND, ("refund", "money back")),
    (Intent.STATUS, ("where is", "status", "arrive", "track")),
)
"""In order of precedence: who asks for a stranger's address in an angry tone still asks for an address."""


def intent_of(text: str) -> Intent:
    """The kind of task; whatever shows no sign of another is a question for the FAQ."""
    lowered = text.lower()
    return next((intent for intent, signs in _SIGNS if any(sign in lowered for sign in signs)), Intent.FAQ)


def order_in(text: str) -> str:
    """The first order number in the text, empty when it names none."""
    match = _ORDER.search(text)
    return match.group() if match else ""
