"""The verb `improve`: one JSON document, and an exit status for scripts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from agentrollouts.cli.app import app
from agentrollouts.cli.errors import CommandError
from agentrollouts.improver import wiring
from agentrollouts.improver.outcome import Outcome
from agentrollouts.ports import TransientError
from agentrollouts.replay.recordings import Recordings


def outcome(**fields: Any) -> Outcome:
    told = {"reason": "Proposed", "message": "…", "namespace": "shop", "rollout": "support"}
    return Outcome.model_validate(told | fields)


@pytest.mark.parametrize(("action", "status"), [("proposed", 0), ("hold", 0), ("refused", 3)])
def test_the_outcome_is_printed_and_decides_the_status(
    monkeypatch: pytest.MonkeyPatch, action: str, status: int
) -> None:
    async def run(*_: Any, **__: Any) -> Outcome:
        return outcome(action=action, version="1.0.1-p1", cost_usd=0.09, rationale="shorter")

    monkeypatch.setattr(wiring, "run", run)
    ended = CliRunner().invoke(app, ["improve", "support"])
    assert ended.exit_code == status
    document = json.loads(ended.stdout)
    assert document["action"] == action
    assert (document["cost_usd"], document["rationale"], document["version"]) == (0.09, "shorter", "1.0.1-p1")
    assert "revised_system_prompt" not in document


def test_settings_that_can_not_be_used_come_before_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_ROLLOUTS_IMPROVER_PRICES", "cheap")
    ended = CliRunner().invoke(app, ["improve", "support"])
    assert isinstance(ended.exception, CommandError)
    assert (ended.exception.status, "AGENT_ROLLOUTS_IMPROVER_PRICES" in str(ended.exception)) == (2, True)


def test_an_address_that_is_none_or_taken_is_named() -> None:
    with Recordings("127.0.0.1", 0) as taken:
        for address in ("8199", f"127.0.0.1:{taken.port}"):
            ended = CliRunner().invoke(app, ["improve", "support", "--listen", address])
            assert isinstance(ended.exception, CommandError), ended.output
            assert (ended.exception.status, str(ended.exception).partition(":")[0]) == (2, "--listen")


def test_a_cluster_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(*_: Any, **__: Any) -> Outcome:
        raise TransientError("API server not reachable")

    monkeypatch.setattr(wiring, "run", run)
    ended = CliRunner().invoke(app, ["improve", "support"])
    assert isinstance(ended.exception, CommandError)
    assert "Is the cluster there" in str(ended.exception)
