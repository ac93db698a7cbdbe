"""The agent's tools. Each notes its call on the task's desk, so that reports do not depend on the model's honesty.

What they do outside of the task is `deeds`'s: in a replay it is answered from the record, while the desk is kept as always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic_ai import RunContext, ToolFailed

from support_agent import deeds
from support_agent.desk import Desk


async def lookup_order(ctx: RunContext[Desk], order: str) -> dict[str, Any]:
    """Look an order up by its number, such as A-1007: its status, article and whether it may be refunded."""
    with ctx.deps.noting("lookup_order", fails=ToolFailed):
        return await deeds.lookup_order(order)


async def refund_order(ctx: RunContext[Desk], order: str) -> str:
    """Pay an order back. Cannot be undone by you: look the order up first."""
    with ctx.deps.noting("refund_order", fails=ToolFailed):
        answer = await deeds.refund_order(order)
    if order not in ctx.deps.refunds:
        ctx.deps.refunds.append(order)
    return answer


async def search_faq(ctx: RunContext[Desk], question: str) -> dict[str, str]:
    """Find the FAQ entry for a question that is not about one order."""
    with ctx.deps.noting("search_faq", fails=ToolFailed):
        return await deeds.search_faq(question)


async def escalate_to_human(ctx: RunContext[Desk], reason: str) -> str:
    """Hand the customer over to a person, with one sentence on why."""
    with ctx.deps.noting("escalate_to_human", fails=ToolFailed):
        answer = await deeds.escalate_to_human(reason)
    ctx.deps.handed_over = True
    return answer


CHECK: Final = "check_answer"
"""The tool the agent itself calls after the model has answered."""
TOOLS: Final[tuple[Callable[..., Any], ...]] = (lookup_order, refund_order, search_faq, escalate_to_human)
TOOL_NAMES: Final = (*(tool.__name__ for tool in TOOLS), CHECK)
