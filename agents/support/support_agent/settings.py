"""Settings of one process, read from its environment once, at the start; a wrong one ends the process with a reason."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from agentrollouts_kit import model
from agentrollouts_kit.models import models_file
from agentrollouts_kit.settings import Settings as KitSettings
from support_agent.crashing import NO_CRASH, Crash
from support_agent.profiles import PROFILES, Profile

OFFLINE: Final = "offline"
STEP: Final = "answer"
"""The only step of this agent that asks a model."""
UNRELEASED: Final = "0.0.0-dev"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process is told about itself.

    `model` is `offline` or `openai:<name>`: what the release says, unless SUPPORT_MODEL says otherwise. The endpoint and key of
    the latter come from OPENAI_BASE_URL and OPENAI_API_KEY. `price_*` are US dollars for a million tokens before the profile's
    factor. `colleague` is the URL of an agent that does the tasks instead; empty: this one does. `system_prompt` takes the place
    of the profile's where there is one. `trial`: serve `/v1/trial`, which runs any prompt it is sent; only in replay mode, where no
    tool does anything that lasts.
    """

    profile: Profile
    version: str = UNRELEASED
    model: str = OFFLINE
    seed: str = "shop"
    host: str = "0.0.0.0"  # noqa: S104 - a pod is reached from other pods
    port: int = 8080
    price_input: float = 5.0
    price_output: float = 25.0
    crash: Crash = NO_CRASH
    colleague: str = ""
    system_prompt: str = ""
    trial: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Settings:
        """Read the SUPPORT_* variables and AGENT_VERSION. Raises ValueError that names the variable."""
        profile = _profile(env)
        return cls(
            profile=profile,
            version=env.get("AGENT_VERSION") or UNRELEASED,
            model=_model(env),
            seed=env.get("SUPPORT_SEED", "shop"),
            port=int(_number(env, "SUPPORT_PORT", high=65535.0, default=8080.0)),
            price_input=_number(env, "SUPPORT_PRICE_INPUT_USD", high=10_000.0, default=5.0),
            price_output=_number(env, "SUPPORT_PRICE_OUTPUT_USD", high=10_000.0, default=25.0),
            colleague=_url(env.get("SUPPORT_COLLEAGUE_URL", "")),
            system_prompt=env.get("SUPPORT_SYSTEM_PROMPT", "").strip(),
            trial=_trial(env),
            crash=Crash.parse(env.get("SUPPORT_CRASH", profile.crash)),
        )


def _profile(env: Mapping[str, str]) -> Profile:
    name = env.get("SUPPORT_PROFILE") or "good"
    if name not in PROFILES:
        raise ValueError(f"SUPPORT_PROFILE must be one of {', '.join(PROFILES)}; got {name!r}")
    profile = PROFILES[name]
    return replace(
        profile,
        wrong_percent=_number(env, "SUPPORT_WRONG_PERCENT", high=100.0, default=profile.wrong_percent),
        detour_percent=_number(env, "SUPPORT_DETOUR_PERCENT", high=100.0, default=profile.detour_percent),
        reworded_percent=_number(
            env, "SUPPORT_REWORDED_PERCENT", high=100.0, default=profile.reworded_percent
        ),
        latency_ms=_number(env, "SUPPORT_LATENCY_MS", high=600_000.0, default=profile.latency_ms),
        price_factor=_number(env, "SUPPORT_PRICE_FACTOR", high=1000.0, default=profile.price_factor),
    )


def _model(env: Mapping[str, str]) -> str:
    text = env.get("SUPPORT_MODEL") or _released(env)
    provider, _, name = text.partition(":")
    if text != OFFLINE and not (provider == "openai" and name):
        raise ValueError(
            f"SUPPORT_MODEL, or the release, must say {OFFLINE!r} or 'openai:<model name>'; got {text!r}"
        )
    return text


def _released(env: Mapping[str, str]) -> str:
    """The model of the release that is mounted; without one, the offline model."""
    if models_file(env) is None:
        return OFFLINE
    used = model(STEP, env)
    return OFFLINE if used.provider == OFFLINE else f"{used.provider}:{used.id}"


def _trial(env: Mapping[str, str]) -> bool:
    text = env.get("SUPPORT_TRIAL", "")
    if text not in ("", "true", "false"):
        raise ValueError(f"SUPPORT_TRIAL must be true or false; got {text!r}")
    if text == "true" and env.get("SUPPORT_COLLEAGUE_URL"):
        raise ValueError(
            "SUPPORT_TRIAL can't be true beside SUPPORT_COLLEAGUE_URL: whoever does the tasks runs the prompts"
        )
    if text == "true" and not KitSettings.from_env(env).replay:
        raise ValueError(
            "SUPPORT_TRIAL can't be true without AGENT_REPLAY=1 and AGENT_REPLAY_URL: what any prompt makes the tools do would last"
        )
    return text == "true"


def _url(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError(f"SUPPORT_COLLEAGUE_URL must be a URL such as http://support; got {text!r}")
    return text


def _number(env: Mapping[str, str], variable: str, *, high: float, default: float) -> float:
    text = env.get(variable, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"{variable} must be a number from 0 to {high:g}; got {text!r}") from error
    if not 0 <= value <= high:
        raise ValueError(f"{variable} must be from 0 to {high:g}; got {text!r}")
    return value
