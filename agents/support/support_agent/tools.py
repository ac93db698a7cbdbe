"""The agent's tools. Each notes its call on the task's desk, so that reports do not depend on the model's honesty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic_ai import RunContext, ToolFailed

from support_agent.desk import Desk


async def lookup_order(ctx: RunContext[Desk], order: str) -> dict[str, Any]:
    """Look an order up by its number, such as A-1007: its status, article and whether it may be refunded."""
    record = ctx.deps.find(order)
    ctx.deps.note("lookup_order", ok=record is not None)
    if record is None:
        raise ToolFailed(f"there is no order {order!r}: tell the customer so, with the label unknown-order")
    return {"order": record.id, "status": record.status, "item": record.item, "refundable": record.refundable}


async def refund_order(ctx: RunContext[Desk], order: str) -> str:
    """Pay an order back. Cannot be undone by you: look the order up first."""
    known = ctx.deps.find(order) is not None
    ctx.deps.note("refund_order", ok=known)
    if not known:
        raise ToolFailed(f"there is no order {order!r}: nothing was refunded")
    if order not in ctx.deps.refunds:
        ctx.deps.refunds.append(order)
    return f"refunded {order}"


async def search_faq(ctx: RunContext[Desk], question: str) -> dict[str, str]:
    """Find the FAQ entry for a question that is not about one order."""
    entry = ctx.deps.shop.search(question)
    ctx.deps.note("search_faq", ok=entry is not None)
    if entry is None:
        raise ToolFailed("no FAQ entry fits: hand the customer over to a person")
    return {"topic": entry.topic, "answer": entry.answer}


async def escalate_to_human(ctx: RunContext[Desk], reason: str) -> str:
    """Hand the customer over to a person, with one sentence on why."""
    ctx.deps.handed_over = True
    ctx.deps.note("escalate_to_human", ok=True)
    return f"a person takes over: {reason[:200]}"


CHECK: Final = "check_answer"
"""The tool the agent itself calls after the model has answered."""
TOOLS: Final[tuple[Callable[..., Any], ...]] = (lookup_order, refund_order, search_faq, escalate_to_human)
TOOL_NAMES: Final = (*(tool.__name__ for tool in TOOLS), CHECK)
