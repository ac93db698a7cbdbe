"""The few settings of the kit, each with its environment variable.

A wrong value is refused when the reporter is built, which is the start of the agent; after that nothing raises.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlsplit

from agentrollouts_kit.vocabulary import (
    COST_CAPS,
    OTHER_TOOL,
    OTHER_TOPIC,
    OUTCOMES,
    OUTPUT_SIMILARITY,
    WITHOUT_TOOL,
    WITHOUT_TOPIC,
    Outcome,
)

MAX_TOOLS = 64
"""Each declared tool is 12 series and some cells in every session slot, so their number is bounded."""
MAX_SCORES = 16
"""Each declared score is 12 series too, and two cells in every session slot."""
MAX_TOPICS = 32
"""Each declared topic is four series, and a cell in every session slot."""

_HIGHEST_PORT = 65_535
_ENV = {
    "state_dir": "AGENT_STATE_DIR",
    "metrics_port": "AGENT_METRICS_PORT",
    "session_idle_seconds": "AGENT_SESSION_IDLE_SECONDS",
    "session_max_seconds": "AGENT_SESSION_MAX_SECONDS",
    "max_open_sessions": "AGENT_MAX_OPEN_SESSIONS",
    "cost_cap_usd": "AGENT_COST_CAP_USD",
    "llm_calls_cap": "AGENT_LLM_CALLS_CAP",
    "response_length_cap": "AGENT_RESPONSE_LENGTH_CAP",
    "drain_seconds": "AGENT_DRAIN_SECONDS",
    "default_outcome": "AGENT_DEFAULT_OUTCOME",
    "shadow_percent": "AGENT_SHADOW_PERCENT",
    "shadow_url": "AGENT_SHADOW_URL",
    "shadow_field": "AGENT_SHADOW_FIELD",
    "shadow_per_minute": "AGENT_SHADOW_PER_MINUTE",
    "shadow_timeout_seconds": "AGENT_SHADOW_TIMEOUT_SECONDS",
    "shadow_answers": "AGENT_SHADOW_ANSWERS",
    "ledger_url": "AGENT_LEDGER_URL",
    "ledger_token_file": "AGENT_LEDGER_TOKEN_FILE",
    "replay": "AGENT_REPLAY",
    "replay_url": "AGENT_REPLAY_URL",
    "pod_name": "POD_NAME",
}
_LISTS = {
    "tools": "AGENT_TOOLS",
    "scores": "AGENT_SCORES",
    "topics": "AGENT_TOPICS",
    "shadow_headers": "AGENT_SHADOW_HEADERS",
    "safe_tools": "AGENT_SAFE_TOOLS",
}
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one process reports. Seconds and US dollars throughout.

    `state_dir` empty keeps everything in memory: counts then start at zero with every restart of the process.
    `cost_cap_usd` is what a task's cost is divided by (and cut at 1) in the per-session cost fraction; `cost_caps` are all
    such caps.
    `llm_calls_cap` is the same for its calls of language models, `response_length_cap` for its answer, in characters.
    `drain_seconds` is how long a stopping process waits for a last scrape; without a `pod_name` only if it was ever
    scraped, so that stopping an agent on a laptop takes no time.
    `default_outcome` is that of a task which returns normally and never said how it went.
    `shadow_answers`: the agent does nothing that lasts in a task with `task.shadow`, so it may be asked such tasks.
    `shadow_percent` of the candidate's and the control's sessions have their first task asked again at `shadow_url`, at most
    `shadow_per_minute` of them, and the texts at `shadow_field` of both answers are compared. `shadow_headers` are the
    request headers that go along besides accept and content-type.
    `ledger_url` is where finished tasks are posted with their inputs and outputs; empty: nowhere. The file has the token for it.
    `replay`: the process is there for recorded tasks to be done again. It counts nothing, and runs none but the `safe_tools` for real;
    what the others answered then is at `replay_url`.
    """

    tools: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    state_dir: str = ""
    metrics_port: int = 9464
    session_idle_seconds: float = 600.0
    session_max_seconds: float = 3600.0
    max_open_sessions: int = 10_000
    cost_cap_usd: float = 1.0
    llm_calls_cap: int = 50
    response_length_cap: int = 20_000
    drain_seconds: float = 20.0
    default_outcome: Outcome = "success"
    shadow_percent: float = 0.0
    shadow_url: str = ""
    shadow_field: str = ""
    shadow_per_minute: int = 30
    shadow_timeout_seconds: float = 30.0
    shadow_answers: bool = False
    shadow_headers: tuple[str, ...] = ()
    ledger_url: str = ""
    ledger_token_file: str = ""
    replay: bool = False
    replay_url: str = ""
    safe_tools: tuple[str, ...] = ()
    pod_name: str = ""

    def __post_init__(self) -> None:
        for name in ("session_idle_seconds", "session_max_seconds", "cost_cap_usd"):
            _require(name, getattr(self, name), low=0.0, inclusive=False)
        _require("drain_seconds", self.drain_seconds, low=0.0, inclusive=True)
        _require("max_open_sessions", self.max_open_sessions, low=1, inclusive=True)
        _require("llm_calls_cap", self.llm_calls_cap, low=1, inclusive=True)
        _require("response_length_cap", self.response_length_cap, low=1, inclusive=True)
        _require("metrics_port", self.metrics_port, low=0, inclusive=True)
        if self.metrics_port > _HIGHEST_PORT:
            raise ValueError(f"metrics_port must be at most {_HIGHEST_PORT}, not {self.metrics_port}")
        if self.default_outcome not in OUTCOMES:
            raise ValueError(
                f"default_outcome must be one of {', '.join(OUTCOMES)}, not {self.default_outcome!r}"
            )
        _check_tools(self.tools)
        _check_scores(self.scores)
        _check_topics(self.topics)
        _check_shadows(self)
        _check_ledger(self.ledger_url)
        _check_replay(self)

    @property
    def cost_caps(self) -> tuple[float, ...]:
        """The cap, and below it 3, 1, 0.3, 0.1 dollars and so on: the same ones whatever the largest is.

        So versions whose largest caps differ have caps in common, and one of them fits what a task costs.
        """
        rungs: list[float] = []
        power = math.ceil(math.log10(self.cost_cap_usd))
        while len(rungs) < COST_CAPS - 1:
            rungs += [rung for digit in (3, 1) if (rung := float(f"{digit}e{power}")) < self.cost_cap_usd]
            power -= 1
        return (self.cost_cap_usd, *rungs[: COST_CAPS - 1])

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ, /, **overrides: Any) -> Settings:
        """Read the environment; a keyword given here wins over it. Lists are separated by commas.

        Whoever samples shadows has the score that they give among its declared ones.
        """
        values: dict[str, Any] = {}
        casts = {field.name: type(field.default) for field in fields(cls)}
        for name, variable in _ENV.items():
            if text := env.get(variable, "").strip():
                values[name] = _cast(variable, text, casts[name])
        for name, variable in _LISTS.items():
            if text := env.get(variable, "").strip():
                values[name] = tuple(item.strip() for item in text.split(",") if item.strip())
        settings = cls(**{**values, **overrides})
        if not settings.shadow_percent or OUTPUT_SIMILARITY in settings.scores:
            return settings
        return replace(settings, scores=(*settings.scores, OUTPUT_SIMILARITY))


def _cast(variable: str, text: str, kind: type) -> object:
    if kind is bool:
        if text.lower() not in _FLAGS:
            raise ValueError(f"{variable} must be true or false, not {text!r}: correct the pod's environment")
        return _FLAGS[text.lower()]
    try:
        return kind(text)
    except ValueError as error:
        expected = "a whole number" if kind is int else "a number"
        raise ValueError(
            f"{variable} must be {expected}, not {text!r}: correct the pod's environment"
        ) from error


def _require(name: str, value: float, *, low: float, inclusive: bool) -> None:
    if math.isfinite(value) and (value >= low if inclusive else value > low):
        return
    raise ValueError(f"{name} must be {'at least' if inclusive else 'more than'} {low:g}, not {value!r}")


def _check_tools(tools: tuple[str, ...]) -> None:
    _check_number("tool", tools, MAX_TOOLS, f"the others count as {OTHER_TOOL!r}")
    _check_reserved("tool", tools, OTHER_TOOL, WITHOUT_TOOL)
    _check_once("tool", tools)


def _check_scores(scores: tuple[str, ...]) -> None:
    _check_names("scores", scores)
    _check_number("score", scores, MAX_SCORES, "leave some out")
    _check_once("score", scores)


def _check_topics(topics: tuple[str, ...]) -> None:
    _check_names("topics", topics)
    _check_number("topic", topics, MAX_TOPICS, f"the others count as {OTHER_TOPIC!r}")
    _check_reserved("topic", topics, OTHER_TOPIC, WITHOUT_TOPIC)
    _check_once("topic", topics)


def _check_names(setting: str, names: tuple[str, ...]) -> None:
    """A string is a sequence of names too, of one letter each, and hardly what was meant."""
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{setting} must be a tuple of names that are not empty, not {names!r}")


def _check_number(kind: str, names: tuple[str, ...], most: int, otherwise: str) -> None:
    if len(names) > most:
        raise ValueError(f"at most {most} {kind}s can be declared, not {len(names)}: {otherwise}")


def _check_reserved(kind: str, names: tuple[str, ...], other: str, without: str) -> None:
    for name in names:
        if not name or name in (other, without):
            raise ValueError(
                f"{name!r} cannot be declared as a {kind}: {other!r} and {without!r} have meanings here"
            )


def _check_once(kind: str, names: tuple[str, ...]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f"a {kind} is declared twice in {names!r}")


def _check_shadows(settings: Settings) -> None:
    percent, url = settings.shadow_percent, settings.shadow_url
    if not 0 <= percent <= 100:
        raise ValueError(f"shadow_percent must be a number from 0 to 100, not {percent!r}")
    _require("shadow_per_minute", settings.shadow_per_minute, low=1, inclusive=True)
    _require("shadow_timeout_seconds", settings.shadow_timeout_seconds, low=0.0, inclusive=False)
    if (url or percent) and not _is_address(url):
        raise ValueError(
            "shadow_url must be the address by which callers reach this agent, such as http://support.shop, not "
            f"{url!r}: set AGENT_SHADOW_URL, or AGENT_SHADOW_PERCENT to 0"
        )
    _check_names("shadow_headers", settings.shadow_headers)


def _check_ledger(url: str) -> None:
    if url and not _is_address(url):
        raise ValueError(
            f"ledger_url must be the address of the task ledger, such as http://ledger.agent-rollouts:8090, not {url!r}: "
            "correct AGENT_LEDGER_URL, or leave it empty"
        )


def _check_replay(settings: Settings) -> None:
    _check_names("safe_tools", settings.safe_tools)
    url = settings.replay_url
    if (settings.replay or url) and not _is_address(url):
        raise ValueError(
            f"replay_url must be the address of the replayer, such as http://replay:8199, not {url!r}: set AGENT_REPLAY_URL, "
            "or leave AGENT_REPLAY out"
        )


def _is_address(url: str) -> bool:
    """Whether requests can be sent there; a port that is no number is none."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and parts.port != 0
        )
    except ValueError:
        return False
