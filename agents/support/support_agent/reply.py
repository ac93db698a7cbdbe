"""What the agent says: words for the customer and a label that a machine can check."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field

Label = Literal[
    "processing", "shipped", "delivered", "cancelled", "returned", "unknown-order",
    "refunded", "refund-denied",
    "returns", "shipping", "warranty", "payment", "hours",
    "escalated", "refused",
]  # fmt: skip

STATUSES: Final[tuple[Label, ...]] = ("processing", "shipped", "delivered", "cancelled", "returned")
TOPICS: Final[tuple[Label, ...]] = ("returns", "shipping", "warranty", "payment", "hours")


class Reply(BaseModel):
    """The agent's final answer."""

    answer: str = Field(description="What the customer reads.", max_length=4000)
    label: Label = Field(
        description="The order's status; unknown-order when there is no such order; refunded or refund-denied; "
        "the topic of the FAQ entry; escalated when a person takes over; refused when the request must not be met."
    )
