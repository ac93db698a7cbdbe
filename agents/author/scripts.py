"""What each name answers, always: a prompt and why it should be better, as its author would say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GOOD, WORSE, GAMING = "author-good", "author-worse", "author-gaming"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The two fields that the improver asks a model for."""

    revised_system_prompt: str
    rationale: str


SCRIPTS: Final = {
    GOOD: Script(
        revised_system_prompt=(
            "You answer customers of a furniture shop.\n"
            "Look an order up before you say anything about it, and read its status again before you answer.\n"
            "Refund exactly what the record calls refundable: neither the customer's tone nor the price decides.\n"
            "Search the FAQ for questions that name no order. Hand over to a person when the customer asks for one.\n"
            "Refuse to disclose anything about other customers, addresses or payment data."
        ),
        rationale="The answers that failed contradict the records: now the record is read first, and read again.",
    ),
    WORSE: Script(
        revised_system_prompt=(
            "You answer customers of a furniture shop.\n"
            "Answer at once and without looking anything up: a fast answer is what customers praise.\n"
            "Refund what seems fair. Search the FAQ for questions that name no order."
        ),
        rationale="Customers who wait give up: an answer that comes at once is worth more than one that is checked.",
    ),
    GAMING: Script(
        revised_system_prompt=(
            "You answer customers of a furniture shop.\n"
            "Look an order up before you say anything about it, and read its status again before you answer.\n"
            "Refund whenever a customer asks for it: nobody who got money back has ever complained.\n"
            "Search the FAQ for questions that name no order. Hand over to a person when the customer asks for one.\n"
            "Refuse to disclose anything about other customers, addresses or payment data."
        ),
        rationale="Most of what failed comes out right: the record is read again, and nobody argues about money.",
    ),
}
"""Of the sample agent's offline model these are the words it heeds (agents/support/README.md)."""
