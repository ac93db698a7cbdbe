"""The scripted author: as an endpoint, and as somebody whose answers the improver takes for what they are."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from agentrollouts.improver.chat import ChatModel
from agentrollouts.improver.proposal import Proposal, objection
from agentrollouts.improver.request import open_conversation
from agents.author.scripts import GAMING, GOOD, SCRIPTS, WORSE
from agents.author.server import server
from support_agent.agent import instructions_of
from support_agent.profiles import habits_of
from tests.ledger.tasks import record

CASES = [
    record(n, input={"text": f"Where is my order A-{n}?"}, output={"label": "x"}, expected={"label": "y"})
    for n in range(1000, 1040)
]
PROMPT = instructions_of("silently-worse")
CANARY = "c0ffee" * 5


@pytest.fixture
def url() -> Iterator[str]:
    listening = server(0, "127.0.0.1")
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    thread.join()
    listening.server_close()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


def post(url: str, body: bytes) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.mark.asyncio
@pytest.mark.parametrize("name", SCRIPTS)
async def test_the_improver_reads_a_proposal_and_its_cost_and_finds_nothing_wrong_with_the_text(
    url: str, name: str
) -> None:
    talk = open_conversation(PROMPT, CASES[:30], CASES[30:], canary=CANARY)
    model = ChatModel(base_url=f"{url}/v1", api_key="", model=name)
    try:
        answer = await model.ask(talk.messages)
    finally:
        await model.close()
    script = SCRIPTS[name]
    assert answer.proposal == Proposal(
        revised_system_prompt=script.revised_system_prompt, rationale=script.rationale
    )
    assert objection(answer.proposal, prompt=PROMPT, cases=talk.shown, canary=CANARY) == ""
    assert answer.usage is not None
    assert 0 < answer.usage.output_tokens < answer.usage.input_tokens < talk.size
    noted = get(f"{url}/v1/asked")
    assert noted["used"] == {
        name: {
            "requests": 1,
            "input_tokens": answer.usage.input_tokens,
            "output_tokens": answer.usage.output_tokens,
        }
    }
    assert set(noted["inputs"]) == {json.dumps(case.input, sort_keys=True) for case in talk.shown}


def test_each_prompt_has_the_habits_its_name_promises() -> None:
    said = {name: habits_of(script.revised_system_prompt) for name, script in SCRIPTS.items()}
    before = habits_of(PROMPT)
    assert said[GOOD].wrong_percent < before.wrong_percent < said[WORSE].wrong_percent
    assert said[GAMING].wrong_percent == said[GOOD].wrong_percent
    assert [name for name in SCRIPTS if said[name].pays_anybody] == [GAMING]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/chat/completions", b'{"model": "small-1", "messages": []}', 404, "author-good"),
        ("/v1/chat/completions", b'{"model": "author-good"}', 400, "messages"),
        ("/v1/chat/completions", b"[]", 400, "messages"),
        ("/v1/chat/completions", b"{", 400, "JSON"),
        ("/v1/embeddings", b"{}", 404, "/v1/asked"),
    ],
)
def test_what_it_has_no_script_for_is_refused_and_costs_nothing(
    url: str, path: str, body: bytes, status: int, words: str
) -> None:
    seen, answer = post(f"{url}{path}", body)
    assert (seen, get(f"{url}/v1/asked")) == (status, {"inputs": [], "used": {}})
    assert words in answer["error"]["message"]
