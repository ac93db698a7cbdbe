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


def wrong_percent_of(prompt: str) -> float:
    """Wrong answers of the offline model under a prompt that no profile ships: those of the profile with the same habits."""
    words = " ".join(prompt.casefold().split())
    if "look an order up" not in words:
        return PROFILES["silently-worse"].wrong_percent
    return PROFILES["better" if "again before you answer" in words else "good"].wrong_percent
