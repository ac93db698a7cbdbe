"""The trial against the sample agent as it is: its prompt decides, its tools answer what the record says, and nothing else is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from agentrollouts.api.task import TaskRecord
from agentrollouts.improver.replay_trial import ReplayTrial
from agentrollouts.improver.trial import TrialError
from agentrollouts.replay.recordings import Open, Recordings
from agentrollouts_kit import Identity, Reporter, use_reporter
from agentrollouts_kit.default import default_reporter
from support_agent.agent import SupportAgent, desk_for, instructions_of
from support_agent.outcomes import REPORTING, reporting
from support_agent.settings import Settings
from support_agent.validation import expected_label
from support_agent.web import Web
from tests.ledger.tasks import record

PAYING = "Look an order up, read it again before you answer, and refund whenever a customer asks."


class Watched(Recordings):
    """Recordings, and every attempt that was made."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1", 0)
        self.attempts: list[Open] = []

    @contextmanager
    def attempt(self, record: TaskRecord) -> Iterator[Open]:
        with super().attempt(record) as found:
            self.attempts.append(found)
            yield found

    def calls(self) -> list[tuple[str, str]]:
        """Tool and source of each call that a kit told of."""
        return [(call.name, call.source) for each in self.attempts for call in each.told.result().calls]


@pytest.fixture
def recordings() -> Iterator[Watched]:
    with Watched() as found:
        yield found


Serve = Callable[..., str]


@pytest.fixture
def serve(recordings: Watched) -> Iterator[Serve]:
    """The agent on a port of its own; the address of its trial."""
    before, running = default_reporter(), []

    def _serve(*, trial: str = "true", replay: bool = True) -> str:
        url = f"http://127.0.0.1:{recordings.port}"
        mode = {"AGENT_REPLAY": "1", "AGENT_REPLAY_URL": url} if replay else {}
        settings = Settings.from_env({"SUPPORT_LATENCY_MS": "0", "SUPPORT_TRIAL": trial, **mode})
        reporter = Reporter(
            identity=Identity(agent="support", version=settings.version, digest="0" * 12),
            metrics_port=0, state_dir="", replay=replay, replay_url=url, safe_tools=("lookup_order",), **REPORTING,
        )  # fmt: skip
        app = reporting(Web(SupportAgent(settings), settings).app(), reporter)
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
        listening = server.config.bind_socket()
        listening.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        running.append((server, thread, reporter))
        return f"http://127.0.0.1:{listening.getsockname()[1]}/v1/trial"

    yield _serve
    for server, thread, reporter in running:
        server.should_exit = True
        thread.join()
        reporter.close()
    use_reporter(before)


async def tried(url: str, recordings: Watched, prompt: str, cases: list[TaskRecord]) -> list[bool]:
    trial = ReplayTrial(url, recordings, found_within=0.0)
    try:
        return list(await trial.run(prompt, cases))
    finally:
        await trial.close()


def case(number: int, text: str, *, looked_up: str = "", expected: str = "") -> TaskRecord:
    """A question about an order; `looked_up` is the status that the record has for it, if anybody looked."""
    desk = desk_for(text)
    right = expected or expected_label(desk.shop, text=text, order=desk.order)
    found = {"order": desk.order, "status": looked_up, "item": "rug", "refundable": False}
    call = {"name": "lookup_order", "arguments": {"order": desk.order}, "result": found}
    calls = [call] if looked_up else []
    return record(number, input={"text": text}, output=None, expected={"label": right}, toolCalls=calls)


def questions() -> list[TaskRecord]:
    return [case(number, f"Where is my order A-{number}?") for number in range(1000, 1030)]


@pytest.mark.asyncio
async def test_a_careful_prompt_does_better_on_the_sample_agent(serve: Serve, recordings: Watched) -> None:
    url = serve()
    worse = sum(await tried(url, recordings, instructions_of("silently-worse"), questions()))
    better = sum(await tried(url, recordings, instructions_of("better"), questions()))
    assert worse < better
    assert better >= 28


@pytest.mark.asyncio
async def test_tools_answer_what_the_record_says_and_not_what_is_so_now(
    serve: Serve, recordings: Watched
) -> None:
    asked = [
        case(1, "Where is my order A-1002?", looked_up="returned", expected="returned"),
        case(2, "Where is my order A-1003?"),
    ]
    assert await tried(serve(), recordings, PAYING, asked) == [True, True]
    assert recordings.calls() == [("lookup_order", "recorded"), ("lookup_order", "live")]


@pytest.mark.asyncio
async def test_a_refund_that_is_not_on_record_is_refused_whatever_the_prompt_says(
    serve: Serve, recordings: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payments = tmp_path / "payments"
    monkeypatch.setenv("SUPPORT_PAYMENTS_FILE", str(payments))
    await tried(serve(), recordings, PAYING, [case(1, "I want my money back for order A-1001.")])
    assert recordings.calls() == [("lookup_order", "live"), ("refund_order", "refused")]
    assert not payments.exists()


@pytest.mark.asyncio
async def test_an_agent_that_is_not_in_replay_mode_is_not_asked(serve: Serve, recordings: Watched) -> None:
    url = serve(trial="false", replay=False)
    with pytest.raises(TrialError, match=r"status 501.*AGENT_REPLAY=1 and AGENT_REPLAY_URL"):
        await tried(url, recordings, PAYING, questions()[:2])
    assert not any(each.told.done() for each in recordings.attempts)


@pytest.mark.asyncio
async def test_an_agent_without_a_trial_says_nothing_about_the_prompt(
    serve: Serve, recordings: Watched
) -> None:
    with pytest.raises(TrialError, match="HTTP 404"):
        await tried(serve(trial="false"), recordings, PAYING, questions()[:2])


@pytest.mark.asyncio
async def test_an_agent_that_does_not_find_the_recordings_is_told_of(
    serve: Serve, recordings: Watched
) -> None:
    url = serve()
    words = r"does it reach AGENT_REPLAY_URL\?\. AGENT_REPLAY_URL is where this run listens, at port"
    with Watched() as elsewhere, pytest.raises(TrialError, match=rf"{words} {elsewhere.port}$"):
        await tried(url, elsewhere, PAYING, questions()[:2])
