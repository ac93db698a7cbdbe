"""The evaluation that a Job before traffic does, against real servers on loopback; as a real process where that counts."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentrollouts.__main__ import main
from agentrollouts.api.before_traffic import MESSAGE_BYTES, ProofSummary
from agentrollouts.api.verification import Verify
from agentrollouts.core.proof_summary import body_of
from agentrollouts.core.verification import Statements, Vouched
from agentrollouts.evals import step
from agentrollouts.proving import STOPPED
from agentrollouts.release.attestation import Named
from agentrollouts.release.statement_map import statement_map
from agentrollouts.runtime.statements import statement, vouched
from tests.keys import private, public

DIGEST, OLD = "sha256:" + "b" * 64, "sha256:" + "a" * 64
DATASET = "evaluators: [EqualsExpected]\ncases:\n" + "".join(
    f"- {{name: c{n}, inputs: {{text: q{n}}}, expected_output: a{n}}}\n" for n in range(10)
)
OURS, THEIRS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
ABOUT = Named("support-2.0.0", DIGEST)
Serve = Callable[[Callable[[str], tuple[int, object]]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers that answer a task's text with a status and JSON; gives the URL."""
    running: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(answer: Callable[[str], tuple[int, object]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, value = answer(body["text"])
                content = json.dumps(value, ensure_ascii=False).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/v1/tasks"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def knows(most: int) -> Callable[[str], tuple[int, object]]:
    """An agent that answers the first so many questions of the dataset rightly."""
    return lambda text: (200, {"label": f"a{text[1:]}" if int(text[1:]) < most else "no idea"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "golden.yaml").write_text(DATASET)
    return tmp_path


def arguments(folder: Path, target: str, **more: object) -> list[str]:
    given = {
        "dataset": folder / "golden.yaml",
        "target": target,
        "agent": "support",
        "version": "2.0.0",
        "artifact-digest": DIGEST,
        "minimum-score": "0.8",
        "answer": "label",
        "summary": folder / "said",
    } | {name.replace("_", "-"): value for name, value in more.items()}
    return ["eval", *(f"--{name}={value}" for name, value in given.items())]


def said(folder: Path) -> ProofSummary:
    content = (folder / "said").read_bytes()
    assert len(content) <= MESSAGE_BYTES
    return ProofSummary.model_validate_json(content)


def test_a_pass_says_the_numbers_and_logs_everything(
    folder: Path, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"repeat": 2, "stable": serve(knows(9)), "stable_version": "1.0.0", "stable_digest": OLD}
    assert main(arguments(folder, serve(knows(9)), **options)) == 0
    found, log = said(folder), json.loads(capsys.readouterr().out)
    assert (found.verdict, found.score, found.baseline_score) == ("PASS", "0.9000", "0.9000")
    assert (found.cases, found.repeats, found.errors, found.flaky) == (10, 2, 0, 0)
    assert (log["results"]["version"], log["baseline"]["version"]) == ("2.0.0", "1.0.0")
    assert found.statement_digest == f"sha256:{hashlib.sha256(log['statement'].encode()).hexdigest()}"
    statement = json.loads(log["statement"])
    assert statement["predicateType"] == "https://agentrollouts.io/attestations/eval/v1"
    assert statement["subject"] == [{"name": "support-2.0.0", "digest": {"sha256": "b" * 64}}]
    assert statement["predicate"]["baseline"] == {
        "artifactDigest": OLD, "score": "0.9000", "version": "1.0.0",
    }  # fmt: skip


@pytest.fixture
def key(folder: Path) -> Path:
    (folder / "release.pem").write_bytes(private(OURS))
    return folder / "release.pem"


def accepted(envelope: str, about: Named = ABOUT, key: Ed25519PrivateKey = OURS) -> Statements:
    """What an operator that trusts this key makes of the envelope in a ConfigMap."""
    keys = [{"name": "evals", "publicKey": public(key).decode(), "claims": ["eval"]}]
    verify = Verify.model_validate({"keys": keys, "require": ["eval"]})
    return vouched([statement(statement_map("support", ABOUT, "eval", envelope.encode()))], about, verify)


def test_a_signed_pass_is_what_an_operator_elsewhere_asks_for(
    folder: Path, serve: Serve, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(folder, serve(knows(9)), signing_key=key)) == 0
    log = json.loads(capsys.readouterr().out)
    envelope = log["envelope"]
    assert base64.b64decode(json.loads(envelope)["payload"]).decode() == log["statement"]
    assert said(folder).statement_digest == f"sha256:{hashlib.sha256(log['statement'].encode()).hexdigest()}"
    assert accepted(envelope) == (Vouched("eval", "evals"),)
    assert accepted(envelope, Named("support-2.0.0", OLD)) == ()
    assert accepted(envelope, Named("support-2.0.1", DIGEST)) == ()
    assert accepted(envelope, key=THEIRS) == ()


def test_without_a_key_and_without_a_pass_nothing_is_signed(
    folder: Path, serve: Serve, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(folder, serve(knows(9)))) == 0
    assert "envelope" not in json.loads(capsys.readouterr().out)
    assert main(arguments(folder, serve(knows(7)), signing_key=key)) == 1
    log = json.loads(capsys.readouterr().out)
    assert json.loads(log["statement"])["predicate"]["verdict"] == "FAIL"
    assert "envelope" not in log


@pytest.mark.parametrize("kind", ["eval", "replay"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "can't read the signing key PATH: No such file or directory; in a Job it is the Secret"),
        (public(OURS), "the signing key PATH: expected an Ed25519 private key as PEM"),
        (b"", "the signing key PATH: expected an Ed25519 private key as PEM"),
    ],
)
def test_a_key_that_is_none_is_told_before_anything_is_asked(
    folder: Path, serve: Serve, kind: str, content: bytes | None, told: str
) -> None:
    asked: list[str] = []

    def answers(text: str) -> tuple[int, object]:
        asked.append(text)
        return knows(9)(text)

    path = folder / "other.pem"
    if content is not None:
        path.write_bytes(content)
    words = arguments(folder, serve(answers), signing_key=path)
    assert main(words if kind == "eval" else replaying(words)) == 2
    assert (said(folder).verdict, told.replace("PATH", str(path)) in said(folder).message) == (
        "INVALID",
        True,
    )
    assert asked == []


def replaying(words: list[str]) -> list[str]:
    """The same words for a replay of the agent against itself."""
    given = dict(word.removeprefix("--").split("=", 1) for word in words[1:])
    kept = {name: given[name] for name in ("agent", "version", "artifact-digest", "summary", "signing-key")}
    lanes = dict.fromkeys(("candidate", "incumbent"), given["target"])
    more = {"namespace": "shop", "stable-version": "1.0.0", "stable-digest": OLD, "from": given["dataset"]}
    more["journal"] = str(Path(given["dataset"]).with_name("journal"))
    return ["replay", *(f"--{name}={value}" for name, value in {**kept, **lanes, **more}.items())]


def test_below_the_minimum_is_a_fail(folder: Path, serve: Serve) -> None:
    assert main(arguments(folder, serve(knows(7)))) == 1
    assert (said(folder).verdict, "0.7000 below minimum 0.8000" in said(folder).message) == ("FAIL", True)


def test_worse_than_the_stable_version_is_a_fail(folder: Path, serve: Serve) -> None:
    options = {"stable": serve(knows(10)), "stable_version": "1.0.0", "stable_digest": OLD}
    assert main(arguments(folder, serve(knows(8)), **options)) == 1
    assert "Regression of 0.2000 from baseline 1.0000" in said(folder).message


def test_a_candidate_that_answers_nothing_is_a_fail_and_not_nobodys_fault(folder: Path, serve: Serve) -> None:
    assert main(arguments(folder, serve(lambda _: (500, {"error": "broken"})))) == 1
    assert (said(folder).verdict, said(folder).errors) == ("FAIL", 10)


def test_a_stable_version_that_answers_nothing_is_no_baseline(folder: Path, serve: Serve) -> None:
    options = {"stable": serve(lambda _: (500, {})), "stable_version": "1.0.0", "stable_digest": OLD}
    assert main(arguments(folder, serve(knows(10)), **options)) == 2
    assert said(folder).verdict == "INVALID"
    assert "stable version 1.0.0 answered no case" in said(folder).message


def test_a_version_that_cant_be_connected_to_has_no_verdict(
    folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "REACHED_WITHIN", 0.01)
    assert main(arguments(folder, "http://127.0.0.1:1/v1/tasks")) == 2
    assert "can't connect to 2.0.0 at http://127.0.0.1:1/v1/tasks" in said(folder).message


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dataset": "/no/such/file.yaml"}, "can't read /no/such/file.yaml"),
        ({"baseline": "/no/such/file.json"}, "can't read /no/such/file.json"),
        ({"minimum_score": "80%"}, "--minimum-score: expected a number from 0 to 1"),
        ({"target": "support"}, "expected a URL such as"),
    ],
)
def test_what_cant_be_used_has_no_verdict_and_says_why(
    folder: Path, serve: Serve, options: dict[str, Any], told: str
) -> None:
    assert main(arguments(folder, **{"target": serve(knows(10)), **options})) == 2
    assert (said(folder).verdict, told in said(folder).message) == ("INVALID", True)


def test_results_that_are_kept_are_a_baseline(folder: Path, serve: Serve) -> None:
    (folder / "kept.json").write_text('{"mean_score": 0.95}')
    assert main(arguments(folder, serve(knows(9)), baseline=folder / "kept.json")) == 0
    (folder / "kept.json").write_text('{"mean_score": 0.96}')
    assert main(arguments(folder, serve(knows(9)), baseline=folder / "kept.json")) == 1


def test_a_scorer_of_ones_own(folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "own_scorers.py").write_text(
        "from dataclasses import dataclass\n"
        "from pydantic_evals.evaluators import Evaluator\n"
        "@dataclass\n"
        "class Short(Evaluator):\n"
        "    def evaluate(self, ctx):\n"
        "        return len(ctx.output) < 3\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    (folder / "golden.yaml").write_text(DATASET.replace("EqualsExpected", "Short"))
    assert main(arguments(folder, serve(knows(9)), scorer="own_scorers:Short")) == 0
    assert said(folder).score == "0.9000"
    assert main(arguments(folder, serve(knows(9)), scorer="own_scorers:Long")) == 2
    assert "expected a class 'Long' in own_scorers" in said(folder).message


def test_a_summary_fits_whatever_the_words_are(folder: Path) -> None:
    for letter in ("\U0001f600", '"', "\\", "a"):
        summary = ProofSummary(verdict="FAIL", message=letter * 1024, score="0.7000")
        (folder / "said").write_bytes(body_of(summary))
        assert said(folder).message.startswith(letter * 900)


def test_a_job_whose_time_is_up_says_so_before_it_goes(folder: Path, serve: Serve) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def hangs(_: str) -> tuple[int, object]:
        asked.set()
        go_on.wait()
        return 200, {}

    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "agentrollouts", *arguments(folder, serve(hangs))]
    running = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert asked.wait(300)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=120)
    finally:
        go_on.set()
        running.kill()
        running.wait()
    assert (running.returncode, said(folder).verdict) == (STOPPED, "INVALID")
    assert "told to stop" in said(folder).message
