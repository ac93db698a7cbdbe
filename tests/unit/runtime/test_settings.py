"""What the operator is told about the advisor, destinations and the ledger, and what it tells nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agentrollouts.runtime.settings import AdvisorSettings, LedgerSettings, parse
from tests.fakes.stage import SETTINGS, Stage, agent_version, rollout


def test_there_is_no_advisor_unless_one_is_named() -> None:
    assert parse([], {}).advisor == AdvisorSettings("", "")


def test_the_key_comes_from_the_environment_and_is_not_shown() -> None:
    environment = {
        "AGENT_ROLLOUTS_ADVISOR_URL": "http://llm:8000/v1",
        "AGENT_ROLLOUTS_ADVISOR_API_KEY": "s3cret",
    }
    settings = parse([], environment)
    assert settings.advisor == AdvisorSettings("http://llm:8000/v1", "s3cret")
    assert "s3cret" not in repr(settings)
    with pytest.raises(SystemExit):
        parse(["--advisor-api-key", "s3cret"], {})


def test_a_url_without_a_scheme_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"expected an http or https URL for --advisor-url.*got 'llm:8000'"):
        parse(["--advisor-url", "llm:8000"], {})


def test_the_destinations_are_nowhere_unless_a_folder_is_named() -> None:
    assert parse([], {}).destinations is None
    environment = {"AGENT_ROLLOUTS_DESTINATIONS": "/etc/agent-rollouts/destinations"}
    assert parse([], environment).destinations == Path("/etc/agent-rollouts/destinations")


def test_there_is_no_ledger_unless_one_is_named() -> None:
    assert parse([], {}).ledger == LedgerSettings()
    environment = {
        "AGENT_ROLLOUTS_LEDGER_URL": "http://ledger:8090",
        "AGENT_ROLLOUTS_LEDGER_TOKEN_FILE": "/etc/agent-rollouts/ledger/operator",
        "AGENT_ROLLOUTS_LEDGER_AGENT_SECRET": "ledger-token",
    }
    assert parse([], environment).ledger == LedgerSettings(
        "http://ledger:8090", Path("/etc/agent-rollouts/ledger/operator"), "ledger-token"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--ledger-url", "ledger:8090"],
            r"for --ledger-url, such as http://agent-rollouts-ledger.*got 'ledger",
        ),
        (["--ledger-agent-secret", "My_Secret"], r"for --ledger-agent-secret.*got 'My_Secret'"),
    ],
)
def test_what_names_no_ledger_is_refused_by_name(arguments: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(arguments, {})


@pytest.mark.asyncio
async def test_the_operator_tells_the_pods_it_makes_where_the_ledger_is() -> None:
    told = LedgerSettings("http://ledger:8090", None, "ledger-token")
    for settings, url in ((SETTINGS, None), (replace(SETTINGS, ledger=told), "http://ledger:8090")):
        stage = Stage(settings=settings)
        stage.cluster.put(agent_version("1.0.0", "a"))
        stage.cluster.put(rollout("1.0.0"))
        await stage.restart()
        await stage.settle()
        (made,) = [body for (kind, *_), body in stage.cluster.objects.items() if kind == "Deployment"]
        env = made["spec"]["template"]["spec"]["containers"][0]["env"]
        assert {item["name"]: item.get("value") for item in env}.get("AGENT_LEDGER_URL") == url
