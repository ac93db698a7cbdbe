"""`eval run` from the command line: real processes where a signal or a start-up counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agentrollouts.evals.results import read
from tests.unit.cli.runs import refused, run

DATASET = """
cases:
- {name: one, inputs: one, expected_output: ONE}
- {name: two, inputs: two, expected_output: TWO}
- {name: three, inputs: three, expected_output: "3"}
"""
AGENT = """
import threading

def upper(text):
    return text.upper()

def hangs(text):
    if text == "two":
        print("asked", flush=True)
        threading.Event().wait()
    return text.upper()

def hangs_at_once(text):
    print("asked", flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dataset.yaml").write_text(DATASET)
    (tmp_path / "an_agent.py").write_text(AGENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_becomes_results_that_the_gate_reads(folder: Path) -> None:
    about = ("--agent", "support", "--version", "2.0.0")
    found = run(
        "eval", "run", "dataset.yaml", "--target", "an_agent:upper", "--repeat", "2", "-o", "r.json", *about
    )
    assert found.stdout == "Eval score: 0.6667 over 3 cases with 2 repeats each\n"
    results = read((folder / "r.json").read_text())
    assert [(case.id, [int(score) for score in case.scores]) for case in results.cases or ()] == [
        ("one", [1, 1]), ("two", [1, 1]), ("three", [0, 0]),
    ]  # fmt: skip
    assert (results.agent, results.version, results.partial) == ("support", "2.0.0", False)
    assert (results.dataset_digest or "").startswith("sha256:")
    assert run("eval", "gate", "--results", "r.json", "--min-score", "0.6667").exit_code == 1
    assert (
        run("eval", "gate", "--results", "r.json", "--min-score", "0.6666", "--baseline", "r.json").exit_code
        == 0
    )


BACKGROUND = ("sh", "-c", 'trap "" INT; exec "$0" "$@"')
"""As a shell that isn't interactive starts what it leaves in the background: deaf to Ctrl-C."""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts a run that hangs, once it has asked; none is left behind."""
    made: list[subprocess.Popen[str]] = []

    def begin(function: str, *before: str) -> subprocess.Popen[str]:
        made.append(started(folder, function, before))
        return made[-1]

    yield begin
    for each in made:
        each.kill()
        each.wait()


def started(folder: Path, function: str, before: Sequence[str]) -> subprocess.Popen[str]:
    command = (
        *before,
        sys.executable,
        "-m",
        "agentrollouts.cli.app",
        "eval",
        "run",
        "dataset.yaml",
        "-o",
        "r.json",
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = subprocess.Popen(
        (*command, "--target", f"an_agent:{function}", "--concurrency", "1", "--timeout", "1h"),
        cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "asked\n"
    return running


@pytest.mark.parametrize("before", [(), BACKGROUND], ids=["terminal", "background"])
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_was_done_and_the_gate_refuses_it(
    folder: Path, start: Start, kind: signal.Signals, before: tuple[str, ...]
) -> None:
    running = start("hangs", *before)
    running.send_signal(kind)
    _, told = running.communicate(timeout=120)
    assert running.returncode == 130
    assert told == "error: interrupted after 1 of 3 tasks; r.json is partial, and eval gate refuses it\n"
    results = read((folder / "r.json").read_text())
    assert (results.partial, [case.id for case in results.cases or ()]) == (True, ["one"])
    error = refused("eval", "gate", "--results", "r.json", "--min-score", "0")
    assert (error.status, "partial" in str(error)) == (2, True)


def test_an_interruption_before_anything_is_done_leaves_the_results_of_before(
    folder: Path, start: Start
) -> None:
    (folder / "r.json").write_text("before")
    running = start("hangs_at_once")
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=120)
    assert (running.returncode, "nothing is written" in told) == (130, True)
    assert (folder / "r.json").read_text() == "before"


def test_results_that_couldnt_be_written_are_refused_before_anything_runs(folder: Path) -> None:
    for where in ("no/such/r.json", "."):
        error = refused("eval", "run", "dataset.yaml", "--target", "an_agent:hangs", "-o", where)
        assert (error.status, f"can't write {where}" in str(error)) == (2, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("no.yaml", "--target", "an_agent:upper"), "can't read no.yaml"),
        (("an_agent.py", "--target", "an_agent:upper"), "expected a dataset of pydantic-evals"),
        (("dataset.yaml", "--target", "an_agent"), "expected a URL or module:function"),
        (("dataset.yaml", "--target", "an_agent:upper", "--answer", "x"), "expected a URL as --target"),
        (
            ("dataset.yaml", "--target", "an_agent:upper", "--artifact-digest", "abc"),
            "--artifact-digest: expected",
        ),
    ],
)
def test_what_cant_be_run_is_refused(folder: Path, options: tuple[str, ...], told: str) -> None:
    error = refused("eval", "run", *options, "-o", "r.json")
    assert (error.status, told in str(error)) == (2, True)
    assert not (folder / "r.json").exists()


def test_nobody_who_listens_is_a_0_that_is_told(folder: Path) -> None:
    found = run("eval", "run", "dataset.yaml", "--target", "http://127.0.0.1:1/", "-o", "r.json")
    assert found.stdout == "Eval score: 0.0000 over 3 cases, 3 with errors\n"


def test_the_program_and_the_gate_start_without_the_extra() -> None:
    code = (
        "import sys; sys.modules['pydantic_evals'] = None; import agentrollouts.cli.app, agentrollouts.evals.gate;"
        "assert 'httpx' not in sys.modules, 'httpx is loaded before anything needs it'"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    subprocess.run((sys.executable, "-c", code), env=env, check=True)
