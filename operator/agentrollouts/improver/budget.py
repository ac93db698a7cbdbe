"""What a run may cost, counted before each turn: turns, and US dollars by the endpoint's own usage and a table of prices. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic import TypeAdapter, ValidationError

from agentrollouts.api.base import SpecModel
from agentrollouts.api.scalars import Usd, format_usd

MOST_TURNS: Final = 6
MOST_MICROS: Final = 500_000
"""Micro-dollars: half a dollar."""
MOST_TOKENS: Final = 6_000
"""Tokens of one answer."""
_MILLION: Final = 1_000_000


class Price(SpecModel):
    """US dollars for a million tokens, in micro-dollars inside. An endpoint of one's own has zeros."""

    input: Usd
    output: Usd

    def of(self, *, input_tokens: int, output_tokens: int) -> int:
        """Micro-dollars, rounded up."""
        return -(-(input_tokens * self.input + output_tokens * self.output) // _MILLION)


_PRICES: TypeAdapter[dict[str, Price]] = TypeAdapter(dict[str, Price])


def read_prices(text: str) -> Mapping[str, Price]:
    """Model to price, from JSON such as ``{"small-1": {"input": "0.25", "output": "2"}}``.

    Raises:
        ValueError: it is no such table.
    """
    try:
        return _PRICES.validate_json(text or "{}")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the table"
        raise ValueError(
            'expected prices as {"model": {"input": "0.25", "output": "2"}}, US dollars for a million tokens; '
            f"{place}: {first['msg']}"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer as the endpoint told them; None: it told none, so the most it can have been is counted."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What is left. ``spent`` in micro-dollars."""

    price: Price
    turns: int = 0
    spent: int = 0

    def most(self, size: int) -> int:
        """The most that a request of ``size`` bytes can cost: no tokenizer makes more tokens of a text than it has bytes."""
        return self.price.of(input_tokens=size, output_tokens=MOST_TOKENS)

    def refusal(self, size: int) -> str:
        """Why another turn with a request of this size may not be taken; empty when it may."""
        if self.turns >= MOST_TURNS:
            return f"all {MOST_TURNS} turns are used"
        if self.spent + self.most(size) > MOST_MICROS:
            return (
                f"another turn could cost up to {format_usd(self.most(size))} USD, and of {format_usd(MOST_MICROS)} USD "
                f"{format_usd(self.spent)} are spent"
            )
        return ""

    def after(self, usage: Usage | None, size: int) -> Budget:
        """The budget after a turn whose request had ``size`` bytes."""
        cost = (
            self.most(size)
            if usage is None
            else self.price.of(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
        )
        return replace(self, turns=self.turns + 1, spent=self.spent + cost)
