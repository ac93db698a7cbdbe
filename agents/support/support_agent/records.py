"""The shop: orders and FAQ as they are. Read-only and the same in every pod, so that an answer can be checked anywhere."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

REFUND_DAYS: Final = 30
"""Days after delivery within which an order may be refunded."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `days_since_delivery` is None unless it was delivered."""

    id: str
    status: str
    item: str
    total_cents: int
    days_since_delivery: int | None
    final_sale: bool

    @property
    def refundable(self) -> bool:
        """Whether the shop's rules allow a refund."""
        return (
            self.days_since_delivery is not None
            and self.days_since_delivery <= REFUND_DAYS
            and not self.final_sale
        )


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """One article of the FAQ and the words by which it is found."""

    topic: str
    words: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Shop:
    """All records."""

    orders: Mapping[str, Order]
    faq: tuple[FaqEntry, ...]

    def search(self, text: str) -> FaqEntry | None:
        """The entry most of whose words occur in the text, None when no word of any does."""
        lowered = text.lower()
        score, best = max(
            ((sum(word in lowered for word in entry.words), entry) for entry in self.faq),
            key=lambda pair: pair[0],
        )
        return best if score else None


@cache
def the_shop() -> Shop:
    """The records shipped with this package: the data part of the release."""
    folder = files("support_agent") / "data"
    rows = csv.DictReader((folder / "orders.csv").read_text().splitlines())
    faq = json.loads((folder / "faq.json").read_text())
    return Shop(
        orders={row["order"]: _order(row) for row in rows},
        faq=tuple(FaqEntry(entry["topic"], tuple(entry["words"]), entry["answer"]) for entry in faq),
    )


def _order(row: Mapping[str, str]) -> Order:
    days = row["days_since_delivery"]
    return Order(
        id=row["order"],
        status=row["status"],
        item=row["item"],
        total_cents=int(row["total_cents"]),
        days_since_delivery=int(days) if days else None,
        final_sale=row["final_sale"] == "yes",
    )
