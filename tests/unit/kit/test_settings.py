from __future__ import annotations

import math
import re
from typing import Any

import pytest

from agentrollouts_kit import Settings


def test_settings_come_from_the_environment_and_keywords_win() -> None:
    env = {
        "AGENT_STATE_DIR": "/var/run/agent-rollouts",
        "AGENT_METRICS_PORT": "9999",
        "AGENT_SESSION_IDLE_SECONDS": "30",
        "AGENT_COST_CAP_USD": "0.5",
        "AGENT_LLM_CALLS_CAP": "20",
        "AGENT_TOOLS": "lookup, refund,",
        "AGENT_SCORES": "toxicity,similarity",
        "AGENT_TOPICS": "billing, delivery",
        "AGENT_RESPONSE_LENGTH_CAP": "4000",
        "AGENT_MAX_OPEN_SESSIONS": "7",
        "POD_NAME": "support-1",
    }
    settings = Settings.from_env(env, metrics_port=0)
    assert settings == Settings(
        state_dir="/var/run/agent-rollouts",
        metrics_port=0,
        session_idle_seconds=30.0,
        cost_cap_usd=0.5,
        llm_calls_cap=20,
        tools=("lookup", "refund"),
        scores=("toxicity", "similarity"),
        topics=("billing", "delivery"),
        response_length_cap=4000,
        max_open_sessions=7,
        pod_name="support-1",
    )


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert Settings.from_env({"AGENT_METRICS_PORT": "", "AGENT_TOOLS": " ", "AGENT_SCORES": ""}) == Settings()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"session_idle_seconds": 0}, "session_idle_seconds must be more than 0, not 0"),
        ({"session_max_seconds": math.nan}, "session_max_seconds must be more than 0, not nan"),
        ({"cost_cap_usd": -1}, "cost_cap_usd must be more than 0"),
        ({"max_open_sessions": 0}, "max_open_sessions must be at least 1"),
        ({"default_outcome": "ok"}, "must be one of success, failure, refused, escalated, not 'ok'"),
        ({"tools": ("other",)}, "'other' cannot be declared"),
        ({"tools": ("a", "a")}, "declared twice"),
        ({"tools": tuple(f"tool-{n}" for n in range(65))}, "at most 64 tools"),
        ({"llm_calls_cap": 0}, "llm_calls_cap must be at least 1, not 0"),
        ({"scores": ("a", "b", "a")}, "a score is declared twice"),
        ({"scores": ("a", "")}, "names that are not empty"),
        ({"scores": "toxicity"}, "must be a tuple of names that are not empty, not 'toxicity'"),
        ({"scores": tuple(f"score-{n}" for n in range(17))}, "at most 16 scores can be declared, not 17"),
        ({"topics": ("a", "b", "a")}, "a topic is declared twice"),
        ({"topics": ("none",)}, "'none' cannot be declared as a topic"),
        ({"topics": "billing"}, "must be a tuple of names that are not empty, not 'billing'"),
        ({"topics": tuple(f"topic-{n}" for n in range(33))}, "at most 32 topics can be declared, not 33"),
        ({"response_length_cap": 0}, "response_length_cap must be at least 1, not 0"),
        ({"metrics_port": 65536}, "metrics_port must be at most 65535"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_to_write(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("variable", "text"),
    [("AGENT_METRICS_PORT", "http"), ("AGENT_DRAIN_SECONDS", "20s"), ("AGENT_LLM_CALLS_CAP", "2.5")],
)
def test_a_wrong_variable_is_named(variable: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"{variable} must be a.* number, not '{text}'"):
        Settings.from_env({variable: text})


def test_shadows_from_the_environment_declare_the_score_that_they_give() -> None:
    env = {
        "AGENT_SHADOW_PERCENT": "12.5",
        "AGENT_SHADOW_URL": "https://support.shop/base",
        "AGENT_SHADOW_FIELD": "answer",
        "AGENT_SHADOW_HEADERS": "authorization, x-tenant",
        "AGENT_SHADOW_PER_MINUTE": "6",
        "AGENT_SHADOW_TIMEOUT_SECONDS": "2.5",
        "AGENT_SHADOW_ANSWERS": "True",
        "AGENT_SCORES": "toxicity",
    }
    settings = Settings.from_env(env)
    assert settings == Settings(
        shadow_percent=12.5,
        shadow_url="https://support.shop/base",
        shadow_field="answer",
        shadow_headers=("authorization", "x-tenant"),
        shadow_per_minute=6,
        shadow_timeout_seconds=2.5,
        shadow_answers=True,
        scores=("toxicity", "output_similarity"),
    )
    declared = Settings.from_env(env, scores=("output_similarity",))
    assert declared.scores == ("output_similarity",)
    assert Settings.from_env({"AGENT_SHADOW_ANSWERS": "false"}) == Settings()


URL = {"shadow_url": "http://support"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"shadow_percent": 101, **URL}, "from 0 to 100, not 101"),
        ({"shadow_percent": math.nan, **URL}, "from 0 to 100, not nan"),
        ({"shadow_percent": 5}, "http://support.shop, not '': set AGENT_SHADOW_URL"),
        ({"shadow_percent": 5, "shadow_url": "support:80"}, "not 'support:80'"),
        ({"shadow_url": "http://support?a=b"}, "shadow_url must be the address"),
        ({"shadow_per_minute": 0}, "shadow_per_minute must be at least 1"),
        ({"shadow_timeout_seconds": 0}, "shadow_timeout_seconds must be more than 0"),
        ({"shadow_headers": "authorization"}, "shadow_headers must be a tuple of names"),
    ],
)
def test_wrong_shadow_settings_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        Settings(**wrong)


def test_a_switch_is_true_or_false() -> None:
    with pytest.raises(ValueError, match="AGENT_SHADOW_ANSWERS must be true or false, not 'yes'"):
        Settings.from_env({"AGENT_SHADOW_ANSWERS": "yes"})


def test_the_ledger_is_off_unless_it_is_named() -> None:
    assert Settings.from_env({}).ledger_url == ""
    env = {"AGENT_LEDGER_URL": "http://ledger.agent-rollouts:8090", "AGENT_LEDGER_TOKEN_FILE": "/token"}
    settings = Settings.from_env(env)
    assert (settings.ledger_url, settings.ledger_token_file) == (
        "http://ledger.agent-rollouts:8090",
        "/token",
    )


@pytest.mark.parametrize(
    "url", ["ledger:8090", "ftp://ledger", "http://", "http://ledger:port", "http://ledger?x=1"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="AGENT_LEDGER_URL"):
        Settings(ledger_url=url)
    with pytest.raises(ValueError, match="AGENT_SHADOW_URL"):
        Settings(shadow_url=url)
