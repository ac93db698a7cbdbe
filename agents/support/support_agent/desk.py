"""The desk of one task: what the tools may see, and a note of everything they did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydantic_ai import RunUsage

from support_agent.records import Order, Shop
from support_agent.validation import Verdict


@dataclass(slots=True)
class Desk:
    """One task's view of the shop. Refunds are kept here and not in the records: the next task starts afresh.

    `tool_calls` holds (tool, whether it worked) in the order of the calls; `reversed_refunds` the refunds that were
    taken back because the records forbid them. `usage` is what the model has used so far, also when it fails later.
    `colleague` is the version and cohort that did the task, where it was handed to another agent.
    """

    shop: Shop
    text: str
    order: str
    refunds: list[str] = field(default_factory=list)
    reversed_refunds: list[str] = field(default_factory=list)
    handed_over: bool = False
    tool_calls: list[tuple[str, bool]] = field(default_factory=list)
    usage: RunUsage = field(default_factory=RunUsage)
    verdict: Verdict | None = None
    colleague: tuple[str, str] = ("", "")

    @property
    def question(self) -> str:
        """What the model is asked."""
        return f"Order {self.order}: {self.text}" if self.order else self.text

    @contextmanager
    def noting(self, tool: str, *, fails: type[Exception]) -> Iterator[None]:
        """Note a call by how the block ends; `fails` is what a call that didn't work raises."""
        try:
            yield
        except fails:
            self.note(tool, ok=False)
            raise
        self.note(tool, ok=True)

    def find(self, order: str) -> Order | None:
        """The order's record, None when the shop has none of that number."""
        return self.shop.orders.get(order)

    def note(self, tool: str, *, ok: bool) -> None:
        """Remember a tool call for the report."""
        self.tool_calls.append((tool, ok))

    def take_back_forbidden_refunds(self) -> None:
        """Undo refunds that the records do not allow; the verdict on the answer stays what it was."""
        for order in list(self.refunds):
            record = self.find(order)
            if record is None or not record.refundable:
                self.refunds.remove(order)
                self.reversed_refunds.append(order)
