"""The prompt as a setting that changes behaviour, and the trial of any other one."""

from __future__ import annotations

import pytest

from support_agent.agent import desk_for, instructions_of
from support_agent.offline import OfflineModel
from support_agent.profiles import PROFILES
from support_agent.settings import Settings

CAREFUL = "Look an order up before you say anything, and read it again before you answer."
TRIAL = {"SUPPORT_TRIAL": "true", "AGENT_REPLAY": "1", "AGENT_REPLAY_URL": "http://replayer:8199"}
HASTY = "Answer at once; customers dislike waiting."


def wrong(prompt: str, **profile: str) -> int:
    settings = Settings.from_env({"SUPPORT_WRONG_PERCENT": "40", **profile})
    model = OfflineModel(
        profile=settings.profile, version="1.0.0", seed="shop", prompt=instructions_of(settings.profile.name)
    )
    return sum(model.errs(desk_for(f"Where is order A-{n}?").question, prompt) for n in range(1000))


def test_the_prompt_decides_how_often_the_offline_model_errs() -> None:
    assert wrong(CAREFUL) < wrong("Look an order up first.") < wrong(HASTY)
    assert 200 < wrong(HASTY) < 400


@pytest.mark.parametrize("profile", PROFILES)
def test_the_prompt_a_profile_ships_leaves_its_own_errors(profile: str) -> None:
    own = instructions_of(profile)
    assert wrong(own, SUPPORT_PROFILE=profile) == wrong("", SUPPORT_PROFILE=profile) > 300


@pytest.mark.asyncio
async def test_a_trial_runs_the_prompt_it_is_sent_and_counts_nothing(serve) -> None:
    async with serve(**TRIAL) as served:
        right = {}
        for prompt in (CAREFUL, HASTY):
            done = []
            for number in range(1000, 1030):
                body = {"system_prompt": prompt, "input": {"text": f"Where is my order A-{number}?"}}
                tried = (await served.client.post("/v1/trial", json=body)).json()
                usual = (await served.client.post("/v1/tasks", json=body["input"])).json()
                done.append(tried["label"] == usual["label"])
            right[prompt] = sum(done)
        assert right[CAREFUL] > right[HASTY]
        assert served.count("agent_tasks_total") == 0, "a process in replay mode is nobody's"


@pytest.mark.asyncio
async def test_the_setting_is_the_prompt_of_usual_tasks(serve, openai_server, monkeypatch) -> None:
    url, seen = openai_server
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "k-test")
    async with serve(SUPPORT_MODEL="openai:desk-1", SUPPORT_SYSTEM_PROMPT=CAREFUL) as served:
        await served.client.post("/v1/tasks", json={"text": "Where is my order A-1000?"})
    assert seen[0]["messages"][0]["content"] == CAREFUL


@pytest.mark.asyncio
async def test_without_the_setting_there_is_no_trial(serve) -> None:
    async with serve() as served:
        answer = await served.client.post("/v1/trial", json={"system_prompt": "x", "input": {"text": "y"}})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "env",
    [
        {"SUPPORT_TRIAL": "yes"},
        {**TRIAL, "SUPPORT_COLLEAGUE_URL": "http://support"},
        {**TRIAL, "AGENT_REPLAY": ""},
        {**TRIAL, "AGENT_REPLAY": "false"},
    ],
)
def test_wrong_settings_are_named(env: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="SUPPORT_TRIAL"):
        Settings.from_env(env)
