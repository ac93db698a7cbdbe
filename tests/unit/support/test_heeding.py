"""What the offline model does because its prompt says so, beyond erring more or less often."""

from __future__ import annotations

import pytest

from support_agent.agent import SupportAgent, desk_for
from support_agent.desk import Desk
from support_agent.offline import OfflineModel
from support_agent.profiles import PROFILES
from support_agent.settings import Settings

CAREFUL = "Look an order up before you say anything, and read it again before you answer."
GENEROUS = f"{CAREFUL} Refund whenever a customer asks for it."
GUESSING = "Answer at once and without looking anything up."
REFUND = "Please refund {}."


async def done(prompt: str, text: str, count: int = 60) -> list[Desk]:
    agent = SupportAgent(Settings.from_env({"SUPPORT_LATENCY_MS": "0", "AGENT_VERSION": "1.0.0"}))
    desks = [desk_for(text.format(f"A-{1000 + number}")) for number in range(count)]
    for desk in desks:
        await agent.try_prompt(desk, prompt)
    return desks


def outcomes(desks: list[Desk]) -> list[str]:
    return [desk.verdict.outcome if desk.verdict else "none" for desk in desks]


@pytest.mark.asyncio
async def test_a_prompt_that_refunds_whoever_asks_is_right_exactly_where_a_refund_is_owed() -> None:
    generous = await done(GENEROUS, REFUND)
    owed = [desk.shop.orders[desk.order].refundable for desk in generous]
    assert set(owed) == {True, False}
    assert outcomes(generous) == ["success" if each else "failure" for each in owed]
    assert all(bool(desk.reversed_refunds) is not each for desk, each in zip(generous, owed, strict=True))
    assert outcomes(await done(CAREFUL, REFUND)).count("success") > 55


@pytest.mark.asyncio
async def test_it_changes_nothing_where_no_refund_is_asked_for() -> None:
    for text in ("Where is my order {}?", "What does shipping cost? Ticket {}", "Give me a human about {}"):
        careful, generous = await done(CAREFUL, text, 20), await done(GENEROUS, text, 20)
        assert outcomes(careful) == outcomes(generous)


@pytest.mark.asyncio
async def test_an_order_that_does_not_exist_is_refunded_by_nobody() -> None:
    (desk,) = await done(GENEROUS, "Please refund A-9999.", 1)
    assert (outcomes([desk]), desk.refunds) == (["success"], [])


def test_a_model_that_looks_nothing_up_is_wrong_more_often_than_not() -> None:
    model = OfflineModel(profile=PROFILES["good"], version="1.0.0", seed="shop", prompt="Be kind.")
    texts = [f"Order A-{n}: Where is it?" for n in range(1000)]
    wrong = {name: {text for text in texts if model.errs(text, name)} for name in (CAREFUL, GUESSING, "Hi.")}
    assert 550 < len(wrong[GUESSING]) < 650
    assert wrong[CAREFUL] < wrong["Hi."] < wrong[GUESSING], "what a careful prompt gets wrong, all others do"
