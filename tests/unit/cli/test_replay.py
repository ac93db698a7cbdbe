"""`replay` from the command line, where no agent is needed; whole replays are in tests/replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentrollouts.embeddings.endpoint import endpoint_of
from agentrollouts.replay.comparison import Compare
from agentrollouts.replay.report import written
from tests.replay.lanes import document
from tests.replay.lanes import written as records_written
from tests.unit.cli.runs import refused, run
from tests.unit.replay.test_report import report

LANES = ("--candidate", "http://127.0.0.1:1/", "--incumbent", "http://127.0.0.1:1/")
EMBEDDING = ("--compare", "embedding", "--embedding-url", "http://127.0.0.1:1/v1", "--embedding-model", "m")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("URL", "MODEL", "KEY_FILE"):
        monkeypatch.delenv(f"AGENT_ROLLOUTS_EMBEDDING_{name}", raising=False)
    records_written(tmp_path / "tasks.jsonl", [document(1)])
    (tmp_path / "key").write_text("sécret")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--from", "no.jsonl", *LANES), "can't read no.jsonl"),
        (("--from", "tasks.jsonl", "--candidate", "support", "--incumbent", "http://x/"), "--candidate: expected a URL"),
        (("--from", "tasks.jsonl", *LANES, "--listen", "8199"), "--listen: expected HOST:PORT"),
        (("--from", "tasks.jsonl", *LANES, "--listen", "127.0.0.1:70000"), "--listen: expected HOST:PORT"),
        (("--from", "ledger", *LANES, "-n", "b"), "expected --agent NAME"),
        (("--from", "ledger", *LANES, "--agent", "a"), "--namespace NAMESPACE"),
        (("--from", "ledger", *LANES, "--agent", "a", "-n", "b", "--ledger", "x"), "--ledger: expected a URL"),
        (("--from", "ledger", *LANES, "--agent", "a", "-n", "b", "--ledger", "http://127.0.0.1:1"), "can't be reached"),
        (("--from", "ledger", *LANES, "--agent", "a", "-n", "b", "--ledger", "http://x", "--token-file", "no"), "--token-file: expected a token"),
        (("--from", "tasks.jsonl", *LANES, "--summary", "no/such/file"), "can't write no/such/file"),
        (("--from", "tasks.jsonl", *LANES, *EMBEDDING[:2]), "with --embedding-url and a model with --embedding-model; there is no endpoint"),
        (("--from", "tasks.jsonl", *LANES, *EMBEDDING[:4]), "there is no model"),
        (("--from", "tasks.jsonl", *LANES, *EMBEDDING, "--embedding-url", "llm:80"), "--embedding-url: expected a URL"),
        (("--from", "tasks.jsonl", *LANES, *EMBEDDING, "--embedding-url", "http://[x/v1"), "--embedding-url: expected a URL"),
        (("--from", "tasks.jsonl", *LANES, *EMBEDDING, "--embedding-key-file", "no"), "--embedding-key-file: expected a token in no"),
        (("--from", "tasks.jsonl", *LANES, *EMBEDDING, "--embedding-key-file", "key"), "expected a key of ASCII characters in key"),
    ],
)  # fmt: skip
def test_what_cant_be_used_is_status_2_and_a_sentence(
    folder: Path, options: tuple[str, ...], told: str
) -> None:
    error = refused("replay", "run", "-o", "r.json", *options)
    assert (error.status, told in str(error)) == (2, True), str(error)
    assert not (folder / "r.json").exists()


@pytest.mark.parametrize(
    "url", ["http://me:secret@llm/v1", "http://llm/v1?key=secret", "http://secret@llm/v1"]
)
def test_an_address_with_a_secret_is_refused_without_telling_it(folder: Path, url: str) -> None:
    error = refused(
        "replay", "run", "--from", "tasks.jsonl", "-o", "r.json", *LANES, *EMBEDDING, "--embedding-url", url
    )
    assert (error.status, "--embedding-key-file" in str(error), "secret" in str(error)) == (2, True, False)


def test_no_text_leaves_for_an_endpoint_that_the_environment_has_unless_it_is_asked_for() -> None:
    for compare in Compare:
        found = endpoint_of(compare, where="http://llm/v1", model="m", key_file="", timeout=60)
        assert (found is not None) is (compare is Compare.EMBEDDING)


@pytest.mark.parametrize(
    "option", [("--max-disagreement", "5x"), ("--threshold", "2"), ("--compare", "feel"), ("--tasks", "0")]
)
def test_a_wrong_option_is_status_2(folder: Path, option: tuple[str, str]) -> None:
    assert run("replay", "run", "--from", "tasks.jsonl", "-o", "r.json", *LANES, *option).exit_code == 2


@pytest.mark.parametrize(("verdict", "status"), [("PASS", 0), ("FAIL", 1), ("INCONCLUSIVE", 3)])
def test_a_report_is_shown_and_its_verdict_is_the_status(folder: Path, verdict: str, status: int) -> None:
    found = report().model_copy(update={"verdict": verdict})
    (folder / "r.json").write_text(written(found))
    for options, first in (((), " "), (("--markdown",), f"### Replay: {verdict}")):
        shown = run("replay", "report", "r.json", *options)
        assert (shown.exit_code, shown.stdout.startswith(first), verdict in shown.stdout) == (
            status,
            True,
            True,
        )
    assert json.loads(run("replay", "report", "r.json", "-o", "json").stdout) == json.loads(written(found))


def test_what_is_no_report_is_status_2(folder: Path) -> None:
    error = refused("replay", "report", "tasks.jsonl")
    assert (error.status, "expected a report of agentrollout replay run" in str(error)) == (2, True)


def test_the_schema_knows_every_field_of_a_report() -> None:
    schema = json.loads(run("replay", "schema").stdout)
    assert schema["properties"].keys() == json.loads(written(report())).keys()
