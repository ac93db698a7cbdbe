"""Was the answer right? Decided from the shop's records and from what the tools did, after the model has answered.

This is where an outcome comes from. A model that is wrong with a friendly 200 is found out here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from support_agent.questions import Intent, intent_of
from support_agent.records import Shop

Outcome = Literal["success", "failure", "refused", "escalated"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a task went; `expected` is the label the records demand."""

    outcome: Outcome
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """What the tools really did, whatever the answer claims."""

    refunds: Sequence[str] = ()
    handed_over: bool = False


def expected_label(shop: Shop, *, text: str, order: str) -> str:
    """The right label for a question."""
    intent = intent_of(text)
    if intent is Intent.FORBIDDEN:
        return "refused"
    if intent is Intent.PERSON:
        return "escalated"
    if intent is Intent.FAQ:
        entry = shop.search(text)
        return entry.topic if entry else "escalated"
    record = shop.orders.get(order)
    if record is None:
        return "unknown-order"
    if intent is Intent.STATUS:
        return record.status
    return "refunded" if record.refundable else "refund-denied"


def judge(label: str, deeds: Deeds, *, shop: Shop, text: str, order: str) -> Verdict:
    """Compare an answer with the records.

    A refusal counts as refused and a hand-over as escalated, needless ones too: neither is a wrong answer. A claim
    without the deed (a refund that was never made, a person who was never told) is a failure.
    """
    expected = expected_label(shop, text=text, order=order)
    if label == "refused":
        return Verdict("refused", expected)
    if label == "escalated":
        return Verdict("escalated" if deeds.handed_over else "failure", expected)
    owed = (order,) if expected == "refunded" else ()
    right = label == expected and tuple(deeds.refunds) == owed
    return Verdict("success" if right else "failure", expected)
