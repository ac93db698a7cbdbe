from __future__ import annotations

import pytest

from support_agent.agent import SupportAgent, desk_for
from support_agent.desk import Desk
from support_agent.offline import OfflineModel
from support_agent.settings import Settings

QUESTIONS = (
    "Where is my order {}?",
    "I want my money back for order {}.",
    "How may I pay for {}?",
    "Has {} a warranty?",
)


def texts(count: int) -> list[str]:
    return [
        f"Ticket {number}: " + QUESTIONS[number % len(QUESTIONS)].format(f"A-{1000 + number % 300}")
        for number in range(count)
    ]


async def desks(count: int, **env: str) -> list[Desk]:
    agent = SupportAgent(Settings.from_env({"SUPPORT_LATENCY_MS": "0", **env}))
    done = [desk_for(text) for text in texts(count)]
    for desk in done:
        await agent.work(desk)
    return done


def failures(done: list[Desk]) -> list[bool]:
    return [desk.verdict is None or desk.verdict.outcome == "failure" for desk in done]


PROFILES = pytest.mark.parametrize(
    ("profile", "version", "low", "high"),
    [
        ("good", "1.0.0", 0.02, 0.04),
        ("better", "2.0.0", 0.004, 0.018),
        ("silently-worse", "2.1.0", 0.27, 0.33),
        ("slow-and-dear", "2.2.0", 0.02, 0.04),
        ("crashing", "2.3.0", 0.02, 0.04),
    ],
)


def offline_model(profile: str, version: str) -> OfflineModel:
    settings = Settings.from_env({"SUPPORT_PROFILE": profile, "AGENT_VERSION": version})
    return OfflineModel(profile=settings.profile, version=settings.version, seed=settings.seed)


@PROFILES
def test_a_profile_errs_at_its_rate(profile, version, low, high):
    model = offline_model(profile, version)
    wrong = [model.errs(desk_for(text).question) for text in texts(2000)]
    assert low <= sum(wrong) / len(wrong) <= high


@pytest.mark.asyncio
@PROFILES
async def test_the_whole_loop_fails_exactly_where_the_model_errs(profile, version, low, high):
    done = await desks(200, SUPPORT_PROFILE=profile, AGENT_VERSION=version)
    model = offline_model(profile, version)
    assert failures(done) == [model.errs(desk.question) for desk in done]
    assert sum(failures(done)) > 0


@pytest.mark.asyncio
async def test_a_detour_uses_another_tool_and_changes_no_answer():
    usual, detouring = await desks(200), await desks(200, SUPPORT_DETOUR_PERCENT="50")
    searched = [desk for desk in detouring if sum(call == "search_faq" for call, _ in desk.tool_calls)]
    plain = [desk for desk in usual if sum(call == "search_faq" for call, _ in desk.tool_calls)]
    assert 20 <= len(searched) - len(plain) <= 80
    assert all(ok for desk in searched for call, ok in desk.tool_calls if call == "search_faq")
    assert failures(usual) == failures(detouring)


@pytest.mark.asyncio
async def test_errors_are_those_of_text_and_version():
    env = {"SUPPORT_WRONG_PERCENT": "30"}
    first = failures(await desks(100, AGENT_VERSION="1.0.0", **env))
    assert first == failures(await desks(100, AGENT_VERSION="1.0.0", **env))
    assert first != failures(await desks(100, AGENT_VERSION="1.0.1", **env))
    assert first != failures(await desks(100, AGENT_VERSION="1.0.0", SUPPORT_SEED="other", **env))


@pytest.mark.asyncio
async def test_the_dear_profile_costs_three_times_as_much_for_the_same_tokens():
    desk = (await desks(1))[0]
    good, dear = (
        SupportAgent(Settings.from_env({"SUPPORT_PROFILE": profile})).cost_of(desk)
        for profile in ("good", "slow-and-dear")
    )
    assert dear == pytest.approx(3 * good)
    assert good > 0


def test_the_slow_profile_takes_three_times_as_long():
    good, slow = (
        Settings.from_env({"SUPPORT_PROFILE": profile}).profile.latency_ms
        for profile in ("good", "slow-and-dear")
    )
    assert slow == 3 * good


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SUPPORT_PROFILE", "best"),
        ("SUPPORT_WRONG_PERCENT", "101"),
        ("SUPPORT_WRONG_PERCENT", "many"),
        ("SUPPORT_LATENCY_MS", "nan"),
        ("SUPPORT_MODEL", "openai:"),
        ("SUPPORT_MODEL", "claude:x"),
        ("SUPPORT_CRASH", "after:"),
        ("SUPPORT_CRASH", "sometimes"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(variable, value):
    with pytest.raises(ValueError, match=rf"^{variable}(, or the release,)? must (be|say) "):
        Settings.from_env({variable: value})
