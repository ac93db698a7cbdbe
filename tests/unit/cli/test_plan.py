"""`plan` from the command line: what it prints, how wide, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentrollouts.cli.plan import WIDTH
from tests.unit.cli.runs import RUNS, manifest, other, refused, run, written


@pytest.fixture
def file(tmp_path: Path) -> str:
    return written(tmp_path, manifest())


@pytest.mark.parametrize("mode", ["sequential", "threshold"])
@pytest.mark.parametrize("traffic", ["60/min", "1/min"])
def test_the_screen_is_at_most_80_wide_and_says_everything(tmp_path: Path, mode: str, traffic: str) -> None:
    name = written(tmp_path, manifest(mode, analysis={"mode": mode, "margin": "20%"}))
    result = run("plan", name, "--runs", "2", "--traffic", traffic, "--plain", "--horizon", "3h")
    assert result.exit_code == 0, result.output
    assert result.output.isascii()
    assert max(map(len, result.output.splitlines())) <= WIDTH
    assert ("Judged sequentially" in result.output) == (mode == "sequential")
    assert ("quality gate (threshold mode)" in result.output) == (mode == "threshold")
    for row in (" 10%", " 50%", "100%", "-30 points", "-10 points", "-5 points", "What limits it"):
        assert row in result.output


def test_a_terminal_that_isnt_one_gets_no_colour(file: str) -> None:
    output = run("plan", file, *RUNS).output
    assert "█" in output
    assert "\x1b" not in output
    assert max(map(len, output.splitlines())) <= WIDTH


def test_impossible_plans_warn(tmp_path: Path) -> None:
    name = written(tmp_path, manifest(strategy={"steps": [{"share": "5%", "soak": "15m"}]}))
    output = run("plan", name, "--runs", "2", "--traffic", "0.5/min", "--horizon", "4h").output
    assert "! soak 15m at 5% of 30 sessions/hour brings 1.1 tasks; minimumSessions 20 needs" in output
    assert "! noEvidenceDeadline 1h is shorter" in output


def test_the_numbers_come_as_json(file: str) -> None:
    result = run("plan", file, *RUNS, "-o", "json")
    found = json.loads(result.output)
    assert list(found) == [
        "agent",
        "version",
        "mode",
        "assumed",
        "runs",
        "seed",
        "horizonSeconds",
        "prospects",
        "limits",
        "warnings",
    ]
    assert found["assumed"] == {
        "sessionsPerMinute": 60.0,
        "tasksPerSession": 3,
        "success": 0.95,
        "correlation": 0.3,
        "costOfCap": 0.1,
    }
    assert [each["effectPoints"] for each in found["prospects"]] == [0.0, -5.0, -10.0, -30.0]
    for each in found["prospects"]:
        parts = [each[name] for name in ("promoted", "rolledBack", "paused", "undecided")]
        assert sum(parts) == pytest.approx(1.0)
        assert set(each["caughtSeconds"]) == set(each["promotionSeconds"]) == {"median", "p90"}
        assert set(each["excessBadTasks"]) == {"median", "p90"}
    assert found["prospects"][3]["caughtSeconds"]["median"] < 1200
    assert {limit["what"] for limit in found["limits"]} >= {"soak"}


def test_options_change_what_is_assumed(file: str) -> None:
    options = (
        "--success",
        "90%",
        "--sessions-of",
        "1",
        "--correlation",
        "0",
        "--cost",
        "2%",
        "--traffic",
        "3/s",
    )
    found = json.loads(run("plan", file, "--runs", "2", *options, "-o", "json").output)["assumed"]
    assert found == {
        "sessionsPerMinute": 180.0,
        "tasksPerSession": 1,
        "success": 0.9,
        "correlation": 0.0,
        "costOfCap": 0.02,
    }


def test_the_same_seed_prints_the_same(file: str) -> None:
    one, same, another = (run("plan", file, *RUNS, "--seed", seed).output for seed in ("7", "7", "8"))
    assert one == same
    assert one != another


def test_standard_input_serves_as_well(file: str) -> None:
    assert run("plan", "-", *RUNS, text=yaml.safe_dump(manifest())).output == run("plan", file, *RUNS).output


@pytest.mark.parametrize("verb", ["plan", "simulate"])
def test_manifests_are_refused_as_lint_refuses_them(tmp_path: Path, verb: str) -> None:
    name = written(tmp_path, manifest(analysis={"mode": "sometimes"}))
    result = run(verb, name, "--traffic", "1/min")
    assert result.exit_code == 1
    assert result.output == run("lint", name).stdout
    assert "spec.analysis.mode" in result.output


@pytest.mark.parametrize("verb", ["plan", "simulate"])
@pytest.mark.parametrize(
    ("documents", "words"),
    [
        ([{"apiVersion": "v1", "kind": "ConfigMap"}], "it has no object of agentrollouts.io"),
        ([other("sales"), other("support")], "it has those of sales, support: name one with --agent"),
        (
            [manifest(strategy={"manual": {"shares": [{"version": "2.0.0", "share": "100%"}]}})],
            "moves nothing by itself",
        ),
    ],
)
def test_a_file_without_the_one_rollout_is_refused(
    tmp_path: Path, verb: str, documents: list[Any], words: str
) -> None:
    error = refused(verb, written(tmp_path, *documents), "--traffic", "60/min")
    assert words in str(error)
    assert error.status == 1


def test_one_rollout_of_several_is_chosen(tmp_path: Path) -> None:
    name = written(tmp_path, other("sales"), other("support"))
    assert run("plan", name, *RUNS, "--agent", "sales").output.startswith("sales 2.0.0")


def test_a_file_that_isnt_there_is_told() -> None:
    assert "can't read nowhere.yaml: No such file" in str(refused("plan", "nowhere.yaml", *RUNS))


def test_traffic_and_a_rollout_must_be_named(file: str) -> None:
    for error, words in ((refused("plan"), "name a file"), (refused("plan", file), "--traffic 20/min")):
        assert words in str(error)
        assert error.status == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--traffic", "20"), "such as 20/min"),
        (("--traffic", "0/min"), "such as 20/min"),
        (("--success", "120%"), "at most 100%"),
        (("--horizon", "0s"), "more than nothing"),
        (("--horizon", "soon"), "such as 90s, 15m or 1h30m"),
        (("--approval", "later"), "such as 90s, 15m or 1h30m"),
        (("--correlation", "2"), ""),
        (("--runs", "0"), ""),
    ],
)
def test_options_that_cant_be_are_refused(file: str, options: tuple[str, str], words: str) -> None:
    result = run("plan", file, "--traffic", "60/min", *options)
    assert result.exit_code == 2
    assert options[0] in result.output
    assert words in " ".join(result.output.split())
