from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from agentrollouts.ledger.settings import parse


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    (tmp_path / "agent").write_text("a-token-of-the-tests")
    return tmp_path


def test_flags_win_over_variables_and_variables_over_defaults(tokens: Path) -> None:
    settings = parse(
        [
            "--tokens",
            str(tokens),
            "--port",
            "1234",
            "--redact",
            "cards, emails",
            "--redaction-hook",
            "textwrap:dedent",
        ],
        {
            "AGENT_ROLLOUTS_LEDGER_PORT": "4321",
            "AGENT_ROLLOUTS_LEDGER_MAX_AGE": "90d",
            "AGENT_ROLLOUTS_LEDGER_HOLDOUT": "12.5%",
            "AGENT_ROLLOUTS_LEDGER_DATABASE_URL": "postgresql://ledger@db/agents",
        },
    )
    assert (settings.port, settings.retention.age, settings.holdout) == (1234, timedelta(days=90), 1250)
    assert settings.database.drivername == "postgresql+psycopg"
    assert [step("a b@c.de 4111 1111 1111 1111") for step in settings.redaction[:2]] == [
        "a [email] 4111 1111 1111 1111",
        "a b@c.de [card]",
    ]
    assert settings.redaction[2]("  x") == "x"
    assert settings.retention.per_agent == 20_000


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "got neither"),
        (["--insecure", "--tokens", "{tokens}"], "got both"),
        (["--tokens", "{tokens}/none"], "found none"),
        (["--insecure", "--port", "80a"], "--port"),
        (["--insecure", "--port", "70000"], "--port"),
        (["--insecure", "--max-age", "soon"], "--max-age"),
        (["--insecure", "--max-age", "0d"], "--max-age"),
        (["--insecure", "--max-tasks", "0"], "--max-tasks"),
        (["--insecure", "--holdout", "200%"], "--holdout"),
        (["--insecure", "--redact", "names"], "got names"),
        (["--insecure", "--redaction-hook", "no_such_module:f"], "can't be imported"),
        (["--insecure", "--redaction-hook", "textwrap:nothing"], "can't be imported"),
        (["--insecure", "--redaction-hook", "textwrap"], "can't be imported"),
        (["--insecure", "--redaction-hook", "sys:path"], "is a list"),
    ],
)
def test_a_wrong_setting_is_named(tokens: Path, flags: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse([flag.format(tokens=tokens) for flag in flags], {})


@pytest.mark.parametrize(
    "url",
    ["ledger.db", "mysql://db/agents", "sqlite://", "sqlite:///:memory:", "postgresql://user:secret@db"],
)
def test_a_database_of_another_kind_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match="expected the database as") as refused:
        parse(["--insecure"], {"AGENT_ROLLOUTS_LEDGER_DATABASE_URL": url})
    assert "secret" not in str(refused.value)


def test_a_short_token_is_refused(tokens: Path) -> None:
    (tokens / "reader").write_text("secret")
    with pytest.raises(ValueError, match="at least 16 characters") as refused:
        parse(["--tokens", str(tokens)], {})
    assert "secret" not in str(refused.value)


def test_without_its_extra_the_ledger_says_what_to_install() -> None:
    blocked = "import sys; sys.modules['sqlalchemy'] = None; from agentrollouts.ledger.__main__ import main; sys.exit(main([]))"
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "agent-rollouts[ledger]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_ledger_does_not_start_without_tokens() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentrollouts.ledger"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--insecure" in done.stderr
