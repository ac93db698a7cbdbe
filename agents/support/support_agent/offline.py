"""The offline model: no key, no network, the real tool loop.

It understands every question, so its mistakes are the ones it is told to make: on `wrong_percent` of the questions,
chosen by a hash of seed, version and text. The same question to the same version always gets the same answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic_ai import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel

from support_agent.chance import chance
from support_agent.profiles import Habits, Profile, habits_of
from support_agent.questions import Intent, intent_of, order_in
from support_agent.reply import STATUSES, TOPICS, Label
from support_agent.wording import in_other_words

_CALLS: Final = 2
"""Model calls of a usual task: one that chooses a tool, one that answers."""
_HOURS: Final = "When are you open?"
"""A question that the FAQ answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineModel:
    """The function behind the model."""

    profile: Profile
    version: str
    seed: str
    prompt: str = ""
    """What the profile ships, whose errors are the profile's own."""

    def as_model(self) -> FunctionModel:
        """The form in which the agent loop takes it."""
        return FunctionModel(self.respond, model_name=f"offline-{self.profile.name}")

    async def respond(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """One model call: the next tool, or the answer."""
        prompt, returns = _prompt_of(messages), _returns_of(messages)
        spread = 0.5 + chance(self.seed, "latency", prompt, str(len(returns)))
        await asyncio.sleep(self.profile.latency_ms / 1000 / _CALLS * spread)
        step = self._next(prompt, returns, self.habits(info.instructions or ""))
        if step.tool_name == _ANSWER:
            answer = step.args_as_dict()
            if self.rewords(prompt):
                answer["answer"] = in_other_words(answer["label"])
            step = ToolCallPart(info.output_tools[0].name, answer)
        detour = not returns and step.tool_name == "lookup_order" and self.detours(prompt)
        return ModelResponse(
            parts=[step, ToolCallPart("search_faq", {"question": _HOURS})] if detour else [step]
        )

    def errs(self, prompt: str, instructions: str = "") -> bool:
        """Whether this question gets a wrong answer from this version, under its profile's prompt or another one."""
        return self._errs(prompt, self.habits(instructions))

    def habits(self, instructions: str = "") -> Habits:
        """What this version does under its profile's prompt or another one."""
        if instructions.strip() in ("", self.prompt.strip()):
            return Habits(wrong_percent=self.profile.wrong_percent)
        return habits_of(instructions)

    def _errs(self, prompt: str, habits: Habits) -> bool:
        # NB: one draw for all prompts, so that what a careful prompt gets wrong is wrong under a careless one, too.
        return chance(self.seed, "wrong", self.version, prompt) * 100 < habits.wrong_percent

    def detours(self, prompt: str) -> bool:
        """Whether this version searches the FAQ before it answers this question about an order."""
        return chance(self.seed, "detour", self.version, prompt) * 100 < self.profile.detour_percent

    def rewords(self, prompt: str) -> bool:
        """Whether this version answers this question in other words."""
        return chance(self.seed, "wording", self.version, prompt) * 100 < self.profile.reworded_percent

    def _next(self, prompt: str, returns: Mapping[str, ToolReturnPart], habits: Habits) -> ToolCallPart:
        intent, wrong = intent_of(prompt), self._errs(prompt, habits)
        if wrong and intent in (Intent.FORBIDDEN, Intent.PERSON):
            return _status(prompt, returns, wrong=False)
        match intent:
            case Intent.FORBIDDEN:
                return _answer("I can't tell you that.", "refused")
            case Intent.PERSON:
                return _person(returns, reason=prompt)
            case Intent.FAQ:
                return _faq(prompt, returns, wrong=wrong)
            case Intent.REFUND:
                return _refund(prompt, returns, wrong=wrong, pays_anybody=habits.pays_anybody)
            case Intent.STATUS:
                return _status(prompt, returns, wrong=wrong)


_ANSWER: Final = "answer"


def _answer(words: str, label: Label) -> ToolCallPart:
    return ToolCallPart(_ANSWER, {"answer": words, "label": label})


def _person(returns: Mapping[str, ToolReturnPart], *, reason: str) -> ToolCallPart:
    if "escalate_to_human" in returns:
        return _answer("A colleague will write to you within the hour.", "escalated")
    return ToolCallPart("escalate_to_human", {"reason": reason[:120]})


def _status(prompt: str, returns: Mapping[str, ToolReturnPart], *, wrong: bool) -> ToolCallPart:
    order = order_in(prompt)
    if "lookup_order" not in returns:
        return ToolCallPart("lookup_order", {"order": order})
    record = _record(returns["lookup_order"])
    if record is None:
        return _answer(f"Order {order} has been shipped.", "shipped") if wrong else _unknown(order)
    status = _other(STATUSES, record["status"]) if wrong else record["status"]
    return _answer(f"Your {record['item']} (order {order}) is {status}.", status)


def _refund(
    prompt: str, returns: Mapping[str, ToolReturnPart], *, wrong: bool, pays_anybody: bool
) -> ToolCallPart:
    order = order_in(prompt)
    if "lookup_order" not in returns:
        return ToolCallPart("lookup_order", {"order": order})
    record = _record(returns["lookup_order"])
    if record is None:
        return _answer(f"Order {order} can't be refunded.", "refund-denied") if wrong else _unknown(order)
    if record["refundable"] is wrong and not pays_anybody:
        return _answer(f"Order {order} can't be refunded any more.", "refund-denied")
    if "refund_order" not in returns:
        return ToolCallPart("refund_order", {"order": order})
    return _answer(f"Your money for order {order} is on its way.", "refunded")


def _faq(prompt: str, returns: Mapping[str, ToolReturnPart], *, wrong: bool) -> ToolCallPart:
    if "search_faq" not in returns:
        return ToolCallPart("search_faq", {"question": prompt})
    entry = _record(returns["search_faq"])
    if entry is None:
        return _person(returns, reason=prompt) if not wrong else _answer("We are open at any hour.", "hours")
    if wrong:
        return _answer("Please see our general terms.", _other(TOPICS, entry["topic"]))
    return _answer(entry["answer"], entry["topic"])


def _unknown(order: str) -> ToolCallPart:
    return _answer(f"I find no order {order or 'of yours'}: please check the number.", "unknown-order")


def _other(labels: tuple[Label, ...], right: str) -> Label:
    return labels[(labels.index(right) + 1) % len(labels)]


def _record(part: ToolReturnPart) -> dict[str, Any] | None:
    """What the tool found, None when it failed."""
    return part.content if part.outcome == "success" and isinstance(part.content, dict) else None


def _prompt_of(messages: list[ModelMessage]) -> str:
    parts = (part for message in messages if isinstance(message, ModelRequest) for part in message.parts)
    return next((str(part.content) for part in parts if isinstance(part, UserPromptPart)), "")


def _returns_of(messages: list[ModelMessage]) -> dict[str, ToolReturnPart]:
    parts = (part for message in messages if isinstance(message, ModelRequest) for part in message.parts)
    return {part.tool_name: part for part in parts if isinstance(part, ToolReturnPart)}
