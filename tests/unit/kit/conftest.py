from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentrollouts_kit import Reporter, default
from agentrollouts_kit.context import RequestContext, current
from agentrollouts_kit.vocabulary import COHORTS


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def make_reporter(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Reporter]]:
    """Reporters on the hand clock, closed after the test; the environment of the machine plays no part."""
    for name in (
        "AGENT_STATE_DIR",
        "AGENT_NAMESPACE",
        "AGENT_NAME",
        "AGENT_VERSION",
        "AGENT_TOOLS",
        "AGENT_SCORES",
        "AGENT_TOPICS",
        "AGENT_RESPONSE_LENGTH_CAP",
        "AGENT_LLM_CALLS_CAP",
        "POD_NAME",
        "AGENT_METRICS_PORT",
        "AGENT_SHADOW_PERCENT",
        "AGENT_SHADOW_URL",
        "AGENT_SHADOW_ANSWERS",
        "AGENT_LEDGER_URL",
        "AGENT_LEDGER_TOKEN_FILE",
        "AGENT_REPLAY",
        "AGENT_REPLAY_URL",
        "AGENT_SAFE_TOOLS",
    ):
        monkeypatch.delenv(name, raising=False)
    # One that a test makes the process's own is so no longer than that: the next agent here isn't in replay mode.
    monkeypatch.setattr(default, "_default", default._default)
    made: list[Reporter] = []

    def make(**settings: Any) -> Reporter:
        settings = {
            "tools": ("lookup", "refund"),
            "scores": ("toxicity", "similarity"),
            "topics": ("billing", "delivery"),
            "metrics_port": 0,
            "max_open_sessions": 50,
            **settings,
        }
        made.append(Reporter(clock=clock, **settings))
        return made[-1]

    yield make
    for reporter in made:
        reporter.close()


@pytest.fixture
def reporter(make_reporter: Callable[..., Reporter]) -> Reporter:
    return make_reporter()


@pytest.fixture
def in_request() -> Iterator[Callable[..., None]]:
    """Puts the test into a request of a cohort and session."""
    before = current.get()

    def enter(cohort: str = "candidate", session: str | None = "user-1", **more: Any) -> None:
        current.set(RequestContext(cohort=COHORTS.index(cohort), session=session, **more))

    yield enter
    current.set(before)
