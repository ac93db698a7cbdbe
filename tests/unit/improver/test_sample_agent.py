"""The trial against the sample agent as it is: its prompt decides, and the trial sees it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import uvicorn

from agentrollouts.improver.cases import Case
from agentrollouts.improver.http_trial import HttpTrial
from agentrollouts.improver.trial import TrialError
from agentrollouts_kit import Identity, Reporter
from support_agent.agent import SupportAgent, desk_for, instructions_of
from support_agent.outcomes import REPORTING, reporting
from support_agent.settings import Settings
from support_agent.validation import expected_label
from support_agent.web import Web


@pytest.fixture(params=["true", "false"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The agent on a port of its own, with and without the trial."""
    settings = Settings.from_env({"SUPPORT_LATENCY_MS": "0", "SUPPORT_TRIAL": request.param})
    identity = Identity(agent="support", version=settings.version, digest="0" * 12)
    reporter = Reporter(identity=identity, metrics_port=0, state_dir="", **REPORTING)
    app = reporting(Web(SupportAgent(settings), settings).app(), reporter)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    listening = server.config.bind_socket()
    listening.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1/trial?{request.param}"
    finally:
        server.should_exit = True
        thread.join()
        reporter.close()


def cases() -> list[Case]:
    found = []
    for number in range(1000, 1030):
        text = f"Where is my order A-{number}?"
        desk = desk_for(text)
        right = expected_label(desk.shop, text=text, order=desk.order)
        found.append(Case(id=f"{number:032x}", input={"text": text}, output=None, expected={"label": right}))
    return found


@pytest.mark.asyncio
async def test_a_careful_prompt_does_better_on_the_sample_agent(url: str) -> None:
    trial = HttpTrial(url)
    try:
        if url.endswith("false"):
            with pytest.raises(TrialError, match="HTTP 404"):
                await trial.run("Be kind.", cases()[:2])
            return
        worse = sum(await trial.run(instructions_of("silently-worse"), cases()))
        better = sum(await trial.run(instructions_of("better"), cases()))
    finally:
        await trial.close()
    assert worse < better
    assert better >= 28
