"""A process killed while it does nothing but count: whatever it was storing, the counts agree with one another."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentrollouts_kit import Reporter
from tests.kit.process import ROOT
from tests.kit.reading import Reading

KILLS = 15


def test_counts_agree_after_every_kill(tmp_path: Path) -> None:
    rng = random.Random(7)
    env = os.environ | {
        "AGENT_STATE_DIR": str(tmp_path),
        "AGENT_TOOLS": "",
        "AGENT_SCORES": "",
        "POD_NAME": "",
    }
    tasks = 0.0
    for kill in range(1, KILLS + 1):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.kit.hammer"], cwd=ROOT, env=env, stdout=subprocess.PIPE
        ) as hammer:
            assert hammer.stdout is not None and hammer.stdout.readline() == b"counting\n"
            time.sleep(rng.random() / 20)  # not a wait for anything: the moment of the kill is to be random
            hammer.kill()
        reporter = Reporter(
            tools=("lookup",),
            scores=("similarity",),
            max_open_sessions=20,
            llm_calls_cap=50,
            state_dir=str(tmp_path),
            metrics_port=0,
        )
        reading = Reading.of(reporter)
        reporter.close()
        assert reading("agent_tasks_total") > tasks
        tasks = reading("agent_tasks_total")
        died = reading("agent_tasks_total", outcome="failure")
        assert died <= kill
        assert reading("agent_task_duration_seconds_count") == tasks
        assert reading("agent_llm_tokens_total", direction="input") == 3 * (tasks - died)
        assert reading("agent_llm_calls_total") == reading("agent_tool_calls_total") == tasks - died
        assert reading("agent_task_cost_usd_total") == 0.25 * (tasks - died)
        assert reading("agent_response_length_chars_sum") == 10 * (tasks - died)
        closed = reading("agent_sessions_closed_total")
        assert reading("agent_session_latency_fraction_total", le="+Inf") == closed
        # A task that was not killed succeeds, stops at a checkpoint, calls a model once and has a score of a half.
        success = pytest.approx(reading("agent_session_success_fraction_total"))
        assert reading("agent_session_event_fraction_total", event="checkpoint") == success
        assert 50 * reading("agent_session_llm_calls_fraction_total") == success
        scored = reading("agent_session_scores_total")
        assert closed - died <= scored <= closed
        assert reading("agent_sessions_answered_total") == scored
        assert reading("agent_session_response_length_fraction_total") == pytest.approx(scored * 10 / 20_000)
        assert reading("agent_session_score_sum_total") == scored / 2
        assert reading("agent_session_score_squares_total") == scored / 4
        assert closed <= reading("agent_sessions_assigned_total") <= closed + 20
