"""What the operator is told about the advisor and about destinations, and what it tells nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentrollouts.runtime.settings import AdvisorSettings, parse


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
