"""What the callers of an agent see of its ledger: how long its answers take, with one and without, and the difference.

Agents that differ in nothing but the ledger are asked in turn, in many short rounds and in a new order each time, so that what else
the machine does hits all of them alike. The difference of two agents' percentiles has an interval, by drawing the rounds anew; that
of two agents without a ledger shows what it is worth. Requests come at random moments, whether or not those before are answered.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from bench.ports import free_port
from bench.quantile import quantile

SHARES = {"p50": 0.5, "p99": 0.99}
SETTLED = 0.5
"""Seconds between two rounds, so that the one agent's records are posted before the next one is asked."""
DRAWS = 1_000
SURE = 0.95
STARTED_WITHIN = 60.0

Rounds = Sequence[Sequence[float]]


@contextmanager
def agent(folder: Path, ledger: str) -> Iterator[int]:
    """The port of one with a state directory of its own; it posts to this ledger, or nowhere."""
    port = free_port()
    folder.mkdir(parents=True)
    env = {"AGENT_LEDGER_URL": ledger, "AGENT_STATE_DIR": str(folder), "AGENT_METRICS_PORT": "0"}
    command = [sys.executable, "-m", "bench.waiting_agent", str(port)]
    with subprocess.Popen(command, env=os.environ | env, stderr=subprocess.DEVNULL) as process:
        try:
            _until_it_answers(port)
            yield port
        finally:
            process.terminate()


async def asked(port: int, moments: Sequence[float]) -> list[float]:
    """Milliseconds until the answer, of a request at each of these moments in seconds."""
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    began = time.perf_counter()

    async def ask(number: int, moment: float) -> float:
        await asyncio.sleep(began + moment - time.perf_counter())
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        body = b'{"order": "A-%d", "text": "Where is it?"}' % number
        head = b"POST / HTTP/1.1\r\nhost: agent\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
        mine = b"x-agent-cohort: stable\r\nx-agent-session: user-%d\r\n\r\n" % (number % 20)
        sent = time.perf_counter()
        writer.write(head % len(body) + mine + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        await reader.readexactly(int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        took = (time.perf_counter() - sent) * 1000
        idle.append((reader, writer))
        return took

    found = await asyncio.gather(*(ask(number, moment) for number, moment in enumerate(moments)))
    for _, writer in idle:
        writer.close()
    return found


def moments(chance: Random, *, requests: int, rate: float) -> list[float]:
    """When to ask: so many a second, each independent of all others."""
    at = 0.0
    return [at := at + chance.expovariate(rate) for _ in range(requests)]


def difference(one: Rounds, other: Rounds, share: float, *, seed: int = 0) -> tuple[float, float, float]:
    """How much larger the other's percentile is, over all rounds, and the two ends of its interval."""
    chance = Random(seed)

    def at(chosen: Sequence[int]) -> float:
        first, second = ([value for number in chosen for value in rounds[number]] for rounds in (one, other))
        return quantile(second, share) - quantile(first, share)

    drawn = [at(chance.choices(range(len(one)), k=len(one))) for _ in range(DRAWS)]
    return at(range(len(one))), quantile(drawn, (1 - SURE) / 2), quantile(drawn, (1 + SURE) / 2)


def measured(
    folder: Path, ledgers: Mapping[str, str], *, rounds: int, requests: int, rate: float
) -> dict[str, dict[str, object]]:
    """Milliseconds of an agent with each of these ledgers, and how much more they are than with the first one."""
    found: dict[str, list[list[float]]] = {name: [] for name in ledgers}
    chance = Random(rounds)
    with ExitStack() as stack:
        where = {name: stack.enter_context(agent(folder / name, url)) for name, url in ledgers.items()}
        for number in range(rounds):
            for name in chance.sample(list(where), len(where)):
                plan = moments(Random(number), requests=requests, rate=rate)
                found[name].append(asyncio.run(asked(where[name], plan)))
                time.sleep(SETTLED)
    first, *others = found
    results: dict[str, dict[str, object]] = {}
    for name, parts in found.items():
        every = [value for part in parts for value in part]
        results[name] = {which: round(quantile(every, share), 3) for which, share in SHARES.items()}
    for name in others:
        results[f"{name} - {first}"] = {
            which: [round(value, 3) for value in difference(found[first], found[name], share)]
            for which, share in SHARES.items()
        }
    return results


def _until_it_answers(port: int) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while True:
        try:
            asyncio.run(asked(port, [0.0] * 8))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
