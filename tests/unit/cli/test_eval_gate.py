"""`eval gate` and `eval convert` from the command line: exit statuses, files, and what a failure leaves behind."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from agentrollouts.evals.results import read
from tests.unit.cli.runs import refused, run
from tests.unit.evals.documents import text

FIXTURES = Path(__file__).parents[2] / "fixtures" / "evals"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    path.write_text('{"mean_score": 0.87}')
    return path


def gate(results: Path, *options: str) -> tuple[int, str]:
    found = run("eval", "gate", "--results", str(results), *options)
    return found.exit_code, found.stdout


def test_the_three_exit_statuses(results: Path) -> None:
    assert gate(results, "--min-score", "0.87")[0] == 0
    assert gate(results, "--min-score", "0.8700001")[0] == 1
    assert refused("eval", "gate", "--results", str(results), "--min-score", "87").status == 2


@pytest.mark.parametrize("limit", ["", "x", "1.1", "-0.1", "nan", "inf", "1e999"])
def test_a_limit_that_cant_be_is_refused(results: Path, limit: str) -> None:
    error = refused("eval", "gate", "--results", str(results), "--min-score", limit)
    assert (error.status, f"got {limit!r}" in str(error)) == (2, True)
    error = refused(
        "eval", "gate", "--results", str(results), "--min-score", "0.5", "--max-regression", limit
    )
    assert str(error).startswith("--max-regression: expected a number from 0 to 1")


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("missing.json", None, "can't read"),
        ("binary.json", b"\xff\xfe", "it is no UTF-8 text"),
        ("half.json", b'{"mean_score": 0.8', "Was the file written to its end?"),
        ("wrong.json", b'{"score": 0.8}', "expected mean_score"),
    ],
)
def test_results_that_cant_be_read_are_told_with_their_file(
    tmp_path: Path, name: str, body: bytes | None, told: str
) -> None:
    if body is not None:
        (tmp_path / name).write_bytes(body)
    error = refused("eval", "gate", "--results", str(tmp_path / name), "--min-score", "0.5")
    assert (error.status, name in str(error), told in str(error)) == (2, True, True)


def test_a_pass_makes_the_baseline_and_a_regression_leaves_it(results: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    options = ("--min-score", "0.5", "--baseline", str(baseline), "--update-baseline")
    first = run("eval", "gate", "--results", str(results), *options)
    assert "No baseline yet: only the minimum was checked" in first.stdout
    assert f"Baseline created: {baseline}" in first.stderr
    assert baseline.read_bytes() == results.read_bytes()
    results.write_text('{"mean_score": 0.81}')
    second = run("eval", "gate", "--results", str(results), *options)
    assert (second.exit_code, "not updated" in second.stderr) == (1, True)
    assert baseline.read_text() == '{"mean_score": 0.87}'
    results.write_text('{"mean_score": 0.83, "by": "hand"}')
    third = run("eval", "gate", "--results", str(results), *options)
    assert (third.exit_code, "Baseline updated" in third.stderr) == (0, True)
    assert baseline.read_bytes() == results.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["baseline.json", "results.json"]


def test_without_being_asked_no_baseline_is_written(results: Path, tmp_path: Path) -> None:
    assert gate(results, "--min-score", "0.5", "--baseline", str(tmp_path / "b.json"))[0] == 0
    assert not (tmp_path / "b.json").exists()


def test_updating_needs_a_baseline_to_update(results: Path) -> None:
    error = refused("eval", "gate", "--results", str(results), "--min-score", "0.5", "--update-baseline")
    assert "expected --baseline FILE" in str(error)


@pytest.mark.parametrize("body", ["", "{", '{"mean_score": 2}'])
def test_a_broken_baseline_is_never_taken_for_none(results: Path, tmp_path: Path, body: str) -> None:
    baseline = tmp_path / "baseline.json"
    baseline.write_text(body)
    options = ("--min-score", "0.5", "--baseline", str(baseline), "--update-baseline")
    error = refused("eval", "gate", "--results", str(results), *options)
    assert (error.status, str(error).startswith(str(baseline))) == (2, True)
    assert baseline.read_text() == body


def test_a_link_to_nowhere_is_never_taken_for_no_baseline(results: Path, tmp_path: Path) -> None:
    (tmp_path / "baseline.json").symlink_to(tmp_path / "moved.json")
    error = refused(
        "eval",
        "gate",
        "--results",
        str(results),
        "--min-score",
        "0.5",
        "--baseline",
        str(tmp_path / "baseline.json"),
    )
    assert error.status == 2


def unclear(tmp_path: Path) -> tuple[Path, Path]:
    old = {f"c{n}": [1.0, 1.0] for n in range(5)}
    (tmp_path / "old.json").write_text(text(old))
    (tmp_path / "new.json").write_text(text({**old, "c0": [0, 1]}))
    return tmp_path / "new.json", tmp_path / "old.json"


def test_what_isnt_shown_may_pass_but_is_never_the_next_baseline(tmp_path: Path) -> None:
    new, old = unclear(tmp_path)
    before = old.read_bytes()
    options = ("--min-score", "0.5", "--baseline", str(old), "--update-baseline")
    assert gate(new, *options)[0] == 1
    assert gate(new, *options, "--on-unclear", "pass")[0] == 0
    assert old.read_bytes() == before


def test_the_numbers_as_json(tmp_path: Path) -> None:
    new, old = unclear(tmp_path)
    status, output = gate(new, "--min-score", "0.5", "--baseline", str(old), "-o", "json")
    found = json.loads(output)
    assert (status, found["passed"], found["verdict"]) == (1, False, "WARN")
    assert (found["score"], found["minScore"], found["passPower"]) == (0.9, 0.5, 0.8)
    assert found["flaky"] == [{"id": "c0", "passed": 1, "repeats": 2}]
    compared = found["baseline"]
    assert (compared["regression"], compared["commonCases"], compared["newCases"]) == (0.1, 5, [])
    low, high = compared["interval"]
    assert low < 0.05
    assert high > 0.1
    assert compared["enoughRepeats"] > 2


def test_the_summary_is_appended_where_a_step_of_github_reads_it(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert gate(results, "--min-score", "0.5", "--summary", "-")[0] == 0
    assert (tmp_path / "summary.md").read_text().startswith("before\n### ✅ Eval gate\n")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    error = refused("eval", "gate", "--results", str(results), "--min-score", "0.5", "--summary", "-")
    assert "$GITHUB_STEP_SUMMARY" in str(error)


def test_a_report_that_cant_be_written_leaves_the_baseline(results: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    options = ("--min-score", "0.5", "--baseline", str(baseline), "--update-baseline")
    for report in ("--junit", "--summary"):
        error = refused(
            "eval", "gate", "--results", str(results), *options, report, str(tmp_path / "no" / "file")
        )
        assert (error.status, "can't write" in str(error)) == (2, True)
        assert not baseline.exists()


def test_junit_and_json_together(tmp_path: Path) -> None:
    new, old = unclear(tmp_path)
    gate(new, "--min-score", "0.95", "--baseline", str(old), "--junit", str(tmp_path / "junit.xml"))
    suite = ET.parse(tmp_path / "junit.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("7", "2", "0")


@pytest.mark.parametrize("tool", ["promptfoo", "deepeval", "inspect"])
def test_results_of_other_tools_are_converted_into_a_file(tmp_path: Path, tool: str) -> None:
    where = tmp_path / "results.json"
    digest = f"sha256:{'0' * 64}"
    about = ("--agent", "support", "--version", "2.0.0", "--artifact-digest", digest)
    found = run("eval", "convert", str(FIXTURES / f"{tool}.json"), "--from", tool, "-o", str(where), *about)
    assert (found.exit_code, found.stdout.startswith("Eval score: 0.")) == (0, True)
    written = read(where.read_text())
    assert (written.agent, written.version, written.artifact_digest) == ("support", "2.0.0", digest)


def test_a_file_of_another_tool_leaves_no_results(tmp_path: Path) -> None:
    file, where = str(FIXTURES / "inspect.json"), tmp_path / "results.json"
    error = refused("eval", "convert", file, "--from", "deepeval", "-o", str(where))
    assert (error.status, "expected results of deepeval; testCases" in str(error)) == (2, True)
    assert not where.exists()
