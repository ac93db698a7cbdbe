"""A whole run: the real ledger, a model and an agent on trial over HTTP, and the cluster in memory."""

from __future__ import annotations

import itertools
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.improver.budget import Price
from agentrollouts.improver.chat import ChatModel
from agentrollouts.improver.improve import Run, Terms
from agentrollouts.improver.ledger import LedgerTasks
from agentrollouts.improver.outcome import Outcome
from agentrollouts.improver.replay_trial import ReplayTrial
from tests.fakes import llm, trial
from tests.fakes.improvable import NOW, PROMPT, Improvable
from tests.ledger.process import LedgerProcess
from tests.ledger.tasks import document

TOKENS = {role: f"{role}-token-of-the-tests" for role in ("agent", "reader", "improver")}
BETTER = f"{PROMPT}\n{trial.RULE}"
CANARY = "c0ffee" * 5
USAGE = {"prompt_tokens": 5_000, "completion_tokens": 400, "total_tokens": 5_400}
_numbers = itertools.count(1)


def proposal(
    prompt: Any = BETTER, rationale: Any = "Returns were never named.", **more: Any
) -> dict[str, Any]:
    """A completion with a proposal in it."""
    said = {"revised_system_prompt": prompt, "rationale": rationale, **more}
    return llm.completion(json.dumps(said), usage=USAGE)


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerProcess]:
    """The ledger's own process, with tokens and a fifth of the tasks held out."""
    folder: Path = tmp_path_factory.mktemp("ledger")
    tokens = folder / "tokens"
    tokens.mkdir()
    for role, token in TOKENS.items():
        (tokens / role).write_text(token)
    process = LedgerProcess(folder, "--tokens", str(tokens), "--holdout", "20%", "--redact", "emails")
    process.start()
    yield process
    process.close()


@dataclass
class Scene:
    """Everything a run touches; the agent's name is one that no other test uses."""

    name: str
    ledger: LedgerProcess
    model: llm.Model
    agent: trial.TrialAgent
    cluster: Improvable

    def record(self, *tasks: dict[str, Any]) -> None:
        """Post tasks as the agent does."""
        body = json.dumps(
            [document(next(_numbers), agent=self.name, version="1.0.0") | task for task in tasks]
        )
        request = urllib.request.Request(
            f"{self.ledger.url}/v1/tasks",
            body.encode(),
            {"authorization": f"Bearer {TOKENS['agent']}"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.loads(answer.read())["rejected"] == []

    def ledger_tasks(self, role: str, **query: str) -> list[dict[str, Any]]:
        """Tasks as the ledger shows them to a role."""
        parameters = urllib.parse.urlencode(
            {"namespace": "shop", "agent": self.name, "limit": "200", **query}
        )
        request = urllib.request.Request(
            f"{self.ledger.url}/v1/tasks?{parameters}", headers={"authorization": f"Bearer {TOKENS[role]}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())["tasks"]
        return found

    async def improve(self, **changes: Any) -> Outcome:
        """One run. ``changes``: settings of the run, ``token`` and ``now``."""
        token, now = changes.pop("token", TOKENS["improver"]), changes.pop("now", NOW)
        tasks = LedgerTasks(url=changes.pop("ledger_url", self.ledger.url), token=token)
        model = ChatModel(
            base_url=changes.pop("model_url", self.model.url),
            api_key="key",
            model="small-1",
            timeout=changes.pop("timeout", 30.0),
        )
        probation = ReplayTrial(changes.pop("trial_url", self.agent.url), self.agent.recordings)
        price = Price.model_validate(changes.pop("price", {"input": "1", "output": "4"}))
        run = Run(
            cluster=changes.pop("cluster", self.cluster),
            tasks=tasks,
            model=model,
            trial=probation,
            terms=Terms(canary=CANARY, price=price, **changes),
            now=now,
        )
        try:
            return await run.improve(self.name)
        finally:
            for each in (tasks, model, probation):
                await each.close()


def failure(number: int, text: str = "", **fields: Any) -> dict[str, Any]:
    """A task about a return that went wrong, and a person said what was right."""
    words = text or f"Where is my money for return {number}?"
    return {
        "outcome": "failure",
        "input": {"kind": "return", "text": words},
        "output": {"label": "shipped", "answer": "On its way."},
        "expected": {"label": "returned"},
        **fields,
    }


def success(number: int, **fields: Any) -> dict[str, Any]:
    """A task about an order that went right."""
    return {
        "input": {"kind": "order", "text": f"Where is my order {number}?"},
        "output": {"label": "shipped", "answer": "On its way."},
        "expected": {"label": "shipped"},
        **fields,
    }


@pytest.fixture
def scene(ledger: LedgerProcess) -> Iterator[Scene]:
    """40 labelled failures and 40 successes, of which the improver sees about four fifths, and a model that has a good idea."""
    name = f"support-{next(_numbers)}"
    with llm.serving() as model, trial.serving() as agent:
        model.body = proposal()
        found = Scene(name, ledger, model, agent, Improvable(agent=name))
        found.record(*map(failure, range(40)), *map(success, range(40)))
        yield found
