"""`simulate` from the command line: timelines, recordings, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.runs import manifest, refused, run, written


@pytest.fixture
def file(tmp_path: Path) -> str:
    return written(tmp_path, manifest())


def test_a_timeline_tells_every_change(file: str) -> None:
    output = run("simulate", file, "--traffic", "60/min").output
    assert [line.split()[1:4] for line in output.splitlines()[:3]] == [
        ["0%", "Start", "NewVersion:"],
        ["10%", "Advance", "FirstShare:"],
        ["10%", "Hold", "Soaking:"],
    ]
    assert output.splitlines()[-1].startswith("support 2.0.0 is promoted after 30m")


def test_a_regression_is_rolled_back_in_the_timeline(file: str) -> None:
    found = json.loads(run("simulate", file, "--traffic", "60/min", "--effect", "-30", "-o", "json").output)
    assert (found["outcome"], found["mode"]) == ("RolledBack", "threshold")
    last = found["timeline"][-1]
    assert (last["share"], last["decision"], last["reason"]) == (0.0, "Rollback", "CheckFailed")
    assert "FAIL" in {check["verdict"] for check in last["checks"]}


@pytest.mark.parametrize("effect", ["-10", "0"])
def test_a_recording_is_decided_as_the_simulation_was(file: str, tmp_path: Path, effect: str) -> None:
    recording = str(tmp_path / "looks.jsonl")
    simulated = run("simulate", file, "--traffic", "30/min", "--effect", effect, "--record", recording)
    assert simulated.exit_code == 0
    assert run("simulate", file, "--evidence", recording).output == simulated.output


@pytest.mark.parametrize("effect", ["ten", "-200", "-1e3"])
def test_an_effect_that_cant_be_is_refused(file: str, effect: str) -> None:
    result = run("simulate", file, "--traffic", "60/min", "--effect", effect)
    assert result.exit_code == 2
    assert "such as -10" in " ".join(result.output.split())


def test_a_recording_that_cant_be_read_is_told_with_its_place(file: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text("{}\n")
    assert "broken.jsonl: line 1: expected a line with" in str(
        refused("simulate", file, "--evidence", str(path))
    )
    where = str(tmp_path / "no" / "folder.jsonl")
    assert "can't write" in str(refused("simulate", file, "--traffic", "60/min", "--record", where))


QUEUE = {"name": "queue", "promql": {"query": "max by (namespace, agent, version, cohort) (q)", "max": 1}}
SUCCESS = {"name": "success", "successRate": {}}


@pytest.mark.parametrize("mode", ["threshold", "sequential"])
def test_a_query_of_ones_own_is_left_out_and_that_is_said(tmp_path: Path, mode: str) -> None:
    """With a heavy check that nobody can answer, nothing would ever be promoted."""
    with_it = written(
        tmp_path,
        manifest(analysis={"mode": mode, "checks": [SUCCESS, QUEUE | {"weight": 100, "critical": True}]}),
    )
    result = run("simulate", with_it, "--traffic", "60/min")
    assert "! queue is a promql check" in result.stderr
    assert "left out" in result.stderr
    document = json.loads(run("simulate", with_it, "--traffic", "60/min", "-o", "json").stdout)
    assert document["outcome"] == "Promoted"
    assert {check["name"] for look in document["timeline"] for check in look["checks"]} == {"success"}
    assert len(document["warnings"]) == 1
    planned = " ".join(run("plan", with_it, "--runs", "2", "--traffic", "60/min").stdout.split())
    assert "queue is a promql check: that asks your Prometheus and can't be simulated" in planned
    without = written(tmp_path, manifest(analysis={"mode": mode, "checks": [SUCCESS]}))
    assert run("simulate", without, "--traffic", "60/min").stdout == result.stdout


def test_nothing_is_simulated_where_no_other_check_is(tmp_path: Path) -> None:
    only = written(tmp_path, manifest(analysis={"checks": [QUEUE]}))
    for verb in ("simulate", "plan"):
        assert "expected a check beside queue" in str(refused(verb, only, "--traffic", "60/min"))
