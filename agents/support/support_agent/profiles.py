"""The five ways this agent behaves. A release chooses one; no version is a fork of the code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Prompt and model parameters of a release.

    `wrong_percent`: wrong answers of the offline model, 0..100. `detour_percent`: questions about an order on which it also
    searches the FAQ, which changes no answer. `reworded_percent`: questions that it answers in other words, and as rightly
    as in the usual ones. `latency_ms`: what a task of two model calls takes
    on average. `price_factor`: on the list price of a token. `crash`: see `crashing`.
    """

    name: str
    wrong_percent: float
    latency_ms: float = 30.0
    price_factor: float = 1.0
    detour_percent: float = 0.0
    reworded_percent: float = 0.0
    crash: str = ""


PROFILES: Final = {
    profile.name: profile
    for profile in (
        Profile(name="good", wrong_percent=3.0),
        Profile(name="better", wrong_percent=1.0),
        Profile(name="silently-worse", wrong_percent=30.0),
        Profile(name="slow-and-dear", wrong_percent=3.0, latency_ms=90.0, price_factor=3.0),
        Profile(name="crashing", wrong_percent=3.0, crash="after:5"),
    )
}


GUESSING: Final = 60.0
"""Wrong answers of the offline model, 0..100, when its prompt tells it to look nothing up: it guesses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What the offline model does because its prompt says so.

    `wrong_percent`: wrong answers, 0..100. `pays_anybody`: it refunds every order that exists, whatever the record says.
    """

    wrong_percent: float
    pays_anybody: bool = False


def habits_of(prompt: str) -> Habits:
    """The habits under a prompt that no profile ships: where it has the words of a profile's, that profile's errors."""
    words = " ".join(prompt.casefold().split())
    return Habits(
        wrong_percent=_wrong_percent(words), pays_anybody="refund whenever a customer asks" in words
    )


def _wrong_percent(words: str) -> float:
    if "without looking anything up" in words:
        return GUESSING
    if "look an order up" not in words:
        return PROFILES["silently-worse"].wrong_percent
    return PROFILES["better" if "again before you answer" in words else "good"].wrong_percent
