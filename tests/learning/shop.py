"""The shop of the second demo as processes of this machine: ledger, agents, users, author; only the cluster is in memory."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_load import Load, LoadPlan
from agentrollouts.improver.budget import Price
from agentrollouts.improver.chat import ChatModel
from agentrollouts.improver.improve import Run, Terms
from agentrollouts.improver.ledger import LedgerTasks
from agentrollouts.improver.outcome import Outcome
from agentrollouts.improver.replay_trial import ReplayTrial
from agentrollouts.replay.recordings import Recordings
from agents.author.server import server
from hack.learn import manifests
from hack.learn.ledger import Reader
from tests.fakes.improvable import NOW, Improvable
from tests.ledger.process import LedgerProcess
from tests.replay.lanes import AgentProcess, free_port, written

NAMESPACE = "shop"
TOKENS = {role: f"{role}-token-of-the-tests" for role in ("agent", "reader", "improver")}
TASKS = 700
"""What the users ask before anybody learns of it: some seconds of the demo's traffic."""


@dataclass
class Shop:
    """What runs, and what the cluster would have."""

    folder: Path
    ledger: LedgerProcess
    author: str
    replayer: int
    cluster: Improvable
    agents: dict[str, AgentProcess] = field(default_factory=dict)

    def reader(self, role: str = "reader") -> Reader:
        """The ledger as a role sees it."""
        return Reader(self.ledger.url, TOKENS[role])

    def recorded(self, **about: str) -> list[dict[str, Any]]:
        """Tasks of the shop's agent."""
        return self.reader().tasks(namespace=NAMESPACE, agent=manifests.AGENT, **about)

    async def serve_users(self) -> None:
        """Users ask the first version, until the ledger has every task."""
        url = self.agents["stable"].url.removesuffix("/v1/tasks")
        plan = LoadPlan(url=url, rate=80.0, key_header="", about=("status", "refund"), max_requests=TASKS)
        async with Load(plan) as load:
            await load.wait()
        until(lambda: len(self.recorded()) == TASKS, "every task in the ledger")

    async def improve(self, model: str) -> Outcome:
        """One run with one of the scripts for a model."""
        tasks = LedgerTasks(url=self.ledger.url, token=TOKENS["improver"])
        chat = ChatModel(base_url=f"{self.author}/v1", api_key="", model=model)
        price = Price.model_validate(manifests.PRICES[model])
        with Recordings("127.0.0.1", self.replayer) as recordings:
            trial = ReplayTrial(self.agents["trial"].url.replace("/tasks", "/trial"), recordings)
            run = Run(
                cluster=self.cluster,
                tasks=tasks,
                model=chat,
                trial=trial,
                terms=Terms(canary="c0ffee" * 5, price=price),
                now=NOW,
            )
            try:
                return await run.improve(manifests.AGENT)
            finally:
                for each in (tasks, chat, trial):
                    await each.close()

    def replay(self, candidate: str, incumbent: str) -> tuple[int, str]:
        """Exit status and words of a replay as the Rollout's second entry asks for it."""
        spec = manifests.BEFORE_TRAFFIC[1]["replay"]
        tasks = written(self.folder / "tasks.jsonl", self.recorded(outcome="success"))
        done = subprocess.run(
            [
                sys.executable, "-m", "agentrollouts.cli.app", "replay", "run", "--from", str(tasks),
                "--candidate", self.agents[candidate].url, "--incumbent", self.agents[incumbent].url,
                "--listen", f"127.0.0.1:{self.replayer}", "--answer", spec["answer"], "--tasks", str(spec["tasks"]),
                "--max-disagreement", spec["maximumDisagreement"], "-o", str(self.folder / f"{candidate}.json"),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


def until(holds: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Ask until it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.2)


@contextmanager
def opened(folder: Path, replayed: Mapping[str, tuple[str, str]]) -> Iterator[Shop]:
    """The shop; ``replayed`` are processes in replay mode by name: version and prompt."""
    tokens = folder / "tokens"
    tokens.mkdir()
    for role, token in TOKENS.items():
        (tokens / role).write_text(token)
    with ExitStack() as stack:
        ledger = LedgerProcess(folder, "--tokens", str(tokens), "--holdout", f"{manifests.HOLDOUT / 100:g}%")
        stack.callback(ledger.close)
        ledger.start()
        shop = Shop(folder, ledger, _author(stack), free_port(), _cluster())

        def agent(name: str, version: str, prompt: str, **env: str) -> None:
            shop.agents[name] = AgentProcess(
                folder, AGENT_VERSION=version, SUPPORT_SYSTEM_PROMPT=prompt, **env
            )
            stack.callback(shop.agents[name].close)

        way = {"AGENT_LEDGER_URL": ledger.url, "AGENT_LEDGER_TOKEN_FILE": str(tokens / "agent")}
        agent("stable", manifests.FIRST, manifests.WEAK, **way)
        mode = {"AGENT_REPLAY": "1", "AGENT_REPLAY_URL": f"http://127.0.0.1:{shop.replayer}"}
        agent("trial", manifests.FIRST, manifests.WEAK, SUPPORT_TRIAL="true", **mode)
        for name, (version, prompt) in replayed.items():
            agent(name, version, prompt, **mode)
        for process in shop.agents.values():
            process.wait()
        yield shop


def _author(stack: ExitStack) -> str:
    listening = server(0, "127.0.0.1")
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stack.callback(listening.server_close)
    stack.callback(thread.join)
    stack.callback(listening.shutdown)
    return f"http://127.0.0.1:{listening.server_port}"


def _cluster() -> Improvable:
    cluster = Improvable(agent=manifests.AGENT)
    manifest = manifests.version(manifests.FIRST, manifests.WEAK)
    manifest["metadata"]["namespace"] = NAMESPACE
    cluster.spec = manifests.rollout(manifests.FIRST)["spec"] | {"beforeTraffic": []}
    cluster.versions.clear()
    cluster.put(manifest, NOW)
    return cluster
