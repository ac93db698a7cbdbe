from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import httpx
import pytest

from agent_load import Ledger, Load, LoadPlan, Row
from agent_load.control import Control


@pytest.mark.asyncio
async def test_a_running_load_is_read_and_stopped_from_outside(serve):
    async with serve(SUPPORT_WRONG_PERCENT="0") as site:
        load = Load(LoadPlan(url=site.url, rate=50.0, think=0.0))
        control = Control(load)
        port = await control.start(0, "127.0.0.1")
        load.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            async with asyncio.timeout(30):
                while (await client.get("/summary")).json()["requests"] < 10:  # noqa: ASYNC110 - a condition is polled, with a deadline
                    await asyncio.sleep(0.02)
            assert (await client.get("/summary")).json()["running"] is True
            assert (await client.post("/stop")).status_code == 202
            await load.wait()
            copy, since = Ledger(), 0
            while lines := (
                await client.get("/requests", params={"since": since, "limit": 7})
            ).text.splitlines():
                assert len(lines) <= 7
                for line in lines:
                    copy.append(Row.from_json(json.loads(line)))
                since += len(lines)
            assert list(copy.rows()) == list(load.ledger.rows())
            assert (await client.get("/requests?since=x")).status_code == 400
            assert (await client.get("/nothing")).status_code == 404
            assert not control.quit.is_set()
            assert (await client.post("/quit")).status_code == 202
            assert control.quit.is_set()
        await control.close()


@pytest.mark.asyncio
async def test_the_program_leaves_a_ledger_and_a_summary(serve, tmp_path):
    async with serve(SUPPORT_WRONG_PERCENT="0") as site:
        file = tmp_path / "out.jsonl"
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "agent_load", "--url", site.url, "--rate", "40", "--duration", "1",
            "--think", "0", "--tasks-per-session", "1-2", "--json", str(file),
            stdout=subprocess.PIPE,
        )  # fmt: skip
        stdout, _ = await program.communicate()
    assert program.returncode == 0
    rows = [Row.from_json(json.loads(line)) for line in file.read_text().splitlines()]
    assert json.loads(stdout)["requests"] == len(rows) > 0
    assert {row.verdict for row in rows} == {"right"}


def test_wrong_arguments_are_refused_with_a_reason():
    done = subprocess.run(
        [sys.executable, "-m", "agent_load", "--url", "http://x", "--tasks-per-session", "many"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "got 'many'" in done.stderr
