"""What the tools do in the world: the part that a replay answers from the record instead.

The shop's payments are a file, if there is one (`SUPPORT_PAYMENTS_FILE`): one line for each refund, which nobody takes back by asking again.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any, Final

from pydantic_ai import ToolFailed

from agentrollouts_kit import current_task, tool
from support_agent.records import the_shop

_PAYMENTS: Final = "SUPPORT_PAYMENTS_FILE"


@tool(fails_with=ToolFailed)
async def lookup_order(order: str) -> dict[str, Any]:
    """The record of an order. Raises ToolFailed when there is none."""
    record = the_shop().orders.get(order)
    if record is None:
        raise ToolFailed(f"there is no order {order!r}: tell the customer so, with the label unknown-order")
    return {"order": record.id, "status": record.status, "item": record.item, "refundable": record.refundable}


@tool(fails_with=ToolFailed)
async def refund_order(order: str) -> str:
    """Pay an order back. Raises ToolFailed when there is no such order."""
    if order not in the_shop().orders:
        raise ToolFailed(f"there is no order {order!r}: nothing was refunded")
    path = os.environ.get(_PAYMENTS)
    if path and not current_task().shadow:
        await asyncio.to_thread(_pay, Path(path), order)
    return f"refunded {order}"


@tool(fails_with=ToolFailed)
async def search_faq(question: str) -> dict[str, str]:
    """The FAQ entry that fits best. Raises ToolFailed when none does."""
    entry = the_shop().search(question)
    if entry is None:
        raise ToolFailed("no FAQ entry fits: hand the customer over to a person")
    return {"topic": entry.topic, "answer": entry.answer}


@tool(fails_with=ToolFailed)
async def escalate_to_human(reason: str) -> str:
    """Tell a person."""
    return f"a person takes over: {reason[:200]}"


def _pay(file: Path, order: str) -> None:
    with file.open("a", encoding="utf-8") as payments:
        payments.write(json.dumps({"refunded": order}) + "\n")
