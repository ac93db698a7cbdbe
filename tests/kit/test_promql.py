"""The queries of docs/reporting-outcomes.md, on a real Prometheus that scrapes two versions."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentrollouts_kit import Identity, Reporter, task
from agentrollouts_kit.context import RequestContext, current
from agentrollouts_kit.vocabulary import COHORTS
from tests.kit.process import DEADLINE_SECONDS, ROOT, free_port

DOCUMENT = ROOT / "docs" / "reporting-outcomes.md"
QUERIES = dict(re.findall(r"^### (\w+)\n```promql\n(.+?)```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL))
SEED_METRICS = {
    "task_success_rate",
    "mean_llm_calls",
    "mean_cost_usd",
    "checkpoint_trigger_rate",
    "rollback_rate",
    "p95_latency_sec",
}
Series = tuple[str, str, str]
"""Agent, version, cohort."""
CONFIG = """\
global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: agents
  static_configs: [{{targets: [{targets}]}}]
"""


@dataclass(frozen=True)
class Prometheus:
    url: str

    def query(self, expression: str) -> dict[Series, float]:
        parameters = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{parameters}", timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
        return {
            (
                r["metric"].get("agent", ""),
                r["metric"].get("version", ""),
                r["metric"].get("cohort", ""),
            ): float(r["value"][1])
            for r in result
        }

    def wait_for(self, expression: str, value: float) -> None:
        self._poll(lambda: list(self.query(expression).values()) == [value], f"{expression} to be {value}")

    def wait_until_ready(self) -> None:
        self._poll(
            lambda: bool(urllib.request.urlopen(f"{self.url}/-/ready", timeout=10)), "Prometheus to be ready"
        )

    def _poll(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
            except OSError:
                pass
            time.sleep(0.1)
        pytest.fail(f"waited {DEADLINE_SECONDS:.0f} s for {what}")


class HandClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def reporters(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Reporter]]:
    monkeypatch.delenv("AGENT_STATE_DIR", raising=False)
    made = {
        version: Reporter(identity=Identity("support", version, "abc"), clock=clock, metrics_port=0)
        for version in ("1.0.0", "2.0.0")
    }
    yield made
    for reporter in made.values():
        reporter.close()


@pytest.fixture
def prometheus(reporters: dict[str, Reporter], tmp_path: Path) -> Iterator[Prometheus]:
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.fail("no `prometheus` on PATH: install it (Debian: apt-get install prometheus) and run again")
    targets = ", ".join(f'"127.0.0.1:{reporter.serve()}"' for reporter in reporters.values())
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(targets=targets))
    address = f"127.0.0.1:{free_port()}"
    command = [
        binary,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (
        (tmp_path / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        server = Prometheus(f"http://{address}")
        server.wait_until_ready()
        yield server
        process.terminate()


def run_tasks(
    reporter: Reporter, clock: HandClock, *, cohort: str, total: int, wrong: int, seconds: float
) -> None:
    token = current.set(RequestContext(cohort=COHORTS.index(cohort), session="ann"))
    for number in range(total):
        with task(reporter=reporter) as t:
            clock.now += seconds
            t.llm_call(calls=3, cost_usd=0.25)
            t.fail() if number < wrong else t.success()
            if number % 4 == 0:
                t.checkpoint()
            if number % 10 == 0:
                t.destructive_rollback()
    current.reset(token)


def test_every_metric_of_the_list_has_a_query() -> None:
    assert QUERIES.keys() == SEED_METRICS


def test_the_documented_queries_give_the_truth(
    prometheus: Prometheus, reporters: dict[str, Reporter], clock: HandClock
) -> None:
    prometheus.wait_for('count(agent_tasks_total{outcome="success"})', 8)
    prometheus.wait_for("min(count_over_time(agent_tasks_total[10m]) >= bool 2)", 1)
    run_tasks(reporters["1.0.0"], clock, cohort="stable", total=40, wrong=1, seconds=0.375)
    run_tasks(reporters["1.0.0"], clock, cohort="control", total=20, wrong=0, seconds=0.375)
    run_tasks(reporters["2.0.0"], clock, cohort="candidate", total=20, wrong=5, seconds=3.5)
    prometheus.wait_for("sum(agent_tasks_total)", 80)
    stable, control, candidate = (
        ("support", "1.0.0", "stable"),
        ("support", "1.0.0", "control"),
        ("support", "2.0.0", "candidate"),
    )
    expected = {
        "task_success_rate": {stable: 39 / 40, control: 1.0, candidate: 0.75},
        "mean_llm_calls": {stable: 3.0, control: 3.0, candidate: 3.0},
        "mean_cost_usd": {stable: 0.25, control: 0.25, candidate: 0.25},
        "checkpoint_trigger_rate": {stable: 0.25, control: 0.25, candidate: 0.25},
        "rollback_rate": {stable: 0.1, control: 0.1, candidate: 0.1},
        # All of a cohort's tasks lie in one bucket: 95 % of the way from its lower to its upper edge.
        "p95_latency_sec": {stable: 0.4875, control: 0.4875, candidate: 2.5 + 0.95 * 2.5},
    }
    for name, values in expected.items():
        found = prometheus.query(QUERIES[name])
        assert {series: found[series] for series in values} == pytest.approx(values), name
        others = {series: value for series, value in found.items() if series not in values}
        assert len(others) == 5 and all(math.isnan(value) for value in others.values()), name
