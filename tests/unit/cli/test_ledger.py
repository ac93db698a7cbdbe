"""The verbs over a real ledger process."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentrollouts.cli.errors import CommandError
from tests.ledger.process import LedgerProcess
from tests.ledger.tasks import document
from tests.unit.cli.runs import run

TOKENS = {role: f"{role}-token-of-the-tests" for role in ("agent", "reader", "operator")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ledger")
    for role, token in TOKENS.items():
        (made / role).write_text(token)
    return made


@pytest.fixture(scope="module")
def ledger(folder: Path) -> Iterator[LedgerProcess]:
    process = LedgerProcess(folder, "--tokens", str(folder))
    process.start()
    send(
        process,
        "POST",
        "/v1/tasks",
        "agent",
        [document(n, outcome=("success", "failure")[n % 2]) for n in range(4)]
        + [document(9, outcome="failure", namespace="other")],
    )
    for attempt in (2, 11):
        send(
            process,
            "PUT",
            f"/v1/evidence/shop/support/{attempt}",
            "operator",
            {"attempt": attempt, "why": "schlechter, ä"},
        )
    yield process
    process.close()


def send(ledger: LedgerProcess, method: str, path: str, role: str, body: object) -> None:
    headers = {"authorization": f"Bearer {TOKENS[role]}"}
    request = urllib.request.Request(ledger.url + path, json.dumps(body).encode(), headers, method=method)
    urllib.request.urlopen(request, timeout=30).close()


def read(ledger: LedgerProcess, folder: Path, *arguments: str) -> str:
    result = run(*arguments, "--ledger", ledger.url, "--token-file", str(folder / "reader"))
    if result.exception:
        raise result.exception
    return result.output


def test_the_newest_evidence_is_printed_or_that_of_an_attempt(ledger: LedgerProcess, folder: Path) -> None:
    newest = read(ledger, folder, "evidence", "support", "-n", "shop")
    assert json.loads(newest) == {"attempt": 11, "why": "schlechter, ä"}
    assert "ä" in newest
    assert (
        json.loads(read(ledger, folder, "evidence", "support", "-n", "shop", "--attempt", "2"))["attempt"]
        == 2
    )


def test_tasks_are_lines_the_newest_first(ledger: LedgerProcess, folder: Path) -> None:
    def ids(*arguments: str, namespace: str = "shop") -> list[int]:
        lines = read(ledger, folder, "tasks", "support", "-n", namespace, *arguments).splitlines()
        return [int(json.loads(line)["id"], 16) for line in lines]

    assert ids() == [3, 2, 1, 0]
    assert ids("--limit", "2") == [3, 2]
    assert ids("--failures") == [3, 1]
    assert ids("--failures", namespace="other") == ids(namespace="other") == [9]


def test_what_is_missing_is_said(ledger: LedgerProcess, folder: Path) -> None:
    with pytest.raises(CommandError, match="no evidence of billing in namespace shop"):
        read(ledger, folder, "evidence", "billing", "-n", "shop")
    with pytest.raises(CommandError, match="no evidence of attempt 7"):
        read(ledger, folder, "evidence", "support", "-n", "shop", "--attempt", "7")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "got none: name it with --ledger"),
        (["--ledger", "localhost:8090"], "got localhost:8090"),
        (["--ledger", "http://127.0.0.1:9"], "can't be reached"),
        (["--ledger", "{url}"], "expected a header .* --token-file"),
        (["--ledger", "{url}", "--token-file", "{folder}/agent"], "may not read tasks: .* --token-file"),
        (["--ledger", "{url}", "--token-file", "{folder}/none"], "expected a token in"),
        (["--ledger", "{url}/metrics?"], "no task ledger"),
    ],
)
def test_without_an_address_or_a_token_it_says_what_to_name(
    ledger: LedgerProcess, folder: Path, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "TOKEN_FILE"):
        monkeypatch.delenv(f"AGENT_ROLLOUTS_LEDGER_{name}", raising=False)
    result = run(
        "tasks", "support", "-n", "shop", *(part.format(url=ledger.url, folder=folder) for part in arguments)
    )
    assert isinstance(result.exception, CommandError)
    with pytest.raises(CommandError, match=words):
        raise result.exception
