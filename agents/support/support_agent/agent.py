"""The agent: a PydanticAI loop over the shop's tools, and the check of its answer against the records."""

from __future__ import annotations

import os
from importlib.resources import files
from typing import Final

from pydantic_ai import Agent, RunContext, UsageLimits
from pydantic_ai.models import Model

from agentrollouts_kit import LoadedRelease
from support_agent.desk import Desk
from support_agent.offline import OfflineModel
from support_agent.questions import order_in
from support_agent.records import the_shop
from support_agent.reply import Reply
from support_agent.settings import OFFLINE, Settings
from support_agent.tools import CHECK, TOOLS
from support_agent.validation import Deeds, judge

_LIMITS: Final = UsageLimits(request_limit=8, tool_calls_limit=12)
_TIMEOUT_SECONDS: Final = 60.0


class SupportAgent:
    """Answers tasks; safe for concurrent use, since all state of a task is on its desk."""

    def __init__(
        self, settings: Settings, *, model: Model | None = None, release: LoadedRelease | None = None
    ) -> None:
        self._settings = settings
        self._agent = Agent(
            model or build_model(settings),
            name="support",
            deps_type=Desk,
            output_type=Reply,
            instructions=settings.system_prompt or prompt_of(settings.profile.name, release),
            tools=TOOLS,
            retries=2,
        )
        self._agent.output_validator(check_answer)

    async def work(self, desk: Desk) -> Reply:
        """Do the desk's task; afterwards the desk says how it went and what it took.

        Raises pydantic_ai's AgentRunError when the model cannot be reached or makes no answer.
        """
        result = await self._agent.run(desk.question, deps=desk, usage=desk.usage, usage_limits=_LIMITS)
        return result.output

    async def try_prompt(self, desk: Desk, prompt: str) -> Reply:
        """Do the desk's task under another prompt; otherwise like `work`."""
        with self._agent.override(instructions=prompt):
            return await self.work(desk)

    def cost_of(self, desk: Desk) -> float:
        """US dollars: the provider's own figure where it gives one, the list price of the tokens otherwise."""
        usage, settings = desk.usage, self._settings
        if usage.cost is not None:
            return float(usage.cost)
        tokens = usage.input_tokens * settings.price_input + usage.output_tokens * settings.price_output
        return tokens * settings.profile.price_factor / 1_000_000


def desk_for(text: str, order: str = "") -> Desk:
    """A fresh desk; an order that is only named in the text is found there."""
    return Desk(shop=the_shop(), text=text, order=order or order_in(text))


def check_answer(ctx: RunContext[Desk], reply: Reply) -> Reply:
    """Judge the answer and take forbidden refunds back.

    It never sends the model back to try again: the outcome that is reported must be that of the answer that leaves.
    """
    desk = ctx.deps
    deeds = Deeds(refunds=desk.refunds, handed_over=desk.handed_over)
    desk.verdict = judge(reply.label, deeds, shop=desk.shop, text=desk.text, order=desk.order)
    desk.note(CHECK, ok=True)
    desk.take_back_forbidden_refunds()
    return reply


def prompt_of(profile: str, release: LoadedRelease | None) -> str:
    """The profile's prompt, out of the release that is mounted, else out of this package. Raises ValueError if it isn't there."""
    if release is None:
        return instructions_of(profile)
    name = f"prompts/{profile}.md"
    if name not in release.prompts:
        raise ValueError(
            f"expected the prompt {name} in the release; it has {', '.join(release.prompts) or 'none'}"
        )
    return release.prompts[name]


def instructions_of(profile: str) -> str:
    """The profile's prompt: the prompts part of the release."""
    return (files("support_agent") / "prompts" / f"{profile}.md").read_text()


def build_model(settings: Settings) -> Model:
    """The offline model, or a chat-completions endpoint as every OpenAI-compatible server offers it. ValueError without its key."""
    if settings.model == OFFLINE:
        offline = OfflineModel(
            profile=settings.profile,
            version=settings.version,
            seed=settings.seed,
            prompt=instructions_of(settings.profile.name),
        )
        return offline.as_model()
    if not os.environ.get("OPENAI_API_KEY"):
        raise ValueError(
            f"OPENAI_API_KEY must be set for the model {settings.model}; any value will do where the endpoint at OPENAI_BASE_URL asks"
            " for none"
        )
    # Imported here: 34 MB of memory and a second of start-up that most pods never need.
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    # No retries of the client's own: a slow or failing model must show in the outcomes, not hide in the latency.
    client = AsyncOpenAI(timeout=_TIMEOUT_SECONDS, max_retries=0)
    return OpenAIChatModel(
        settings.model.removeprefix("openai:"), provider=OpenAIProvider(openai_client=client)
    )
