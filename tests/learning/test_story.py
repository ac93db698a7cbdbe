"""The figures of the second demo, with everything real but the cluster: what the improver makes of each author, and who finds it out."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from random import Random

import pytest
import yaml

from agent_load import Truth
from agentrollouts.ledger.holdout import held_out
from agents.author.scripts import GAMING, GOOD, SCRIPTS, WORSE
from hack.learn import manifests
from hack.learn.ledger import seen_and_held_out
from support_agent.agent import SupportAgent, desk_for
from support_agent.settings import Settings
from tests.learning.shop import NAMESPACE, Shop, opened

PROMPTS = {name: script.revised_system_prompt for name, script in SCRIPTS.items()}
REPLAYED = {
    "first": (manifests.FIRST, manifests.WEAK),
    "proposed": (manifests.PROPOSED, PROMPTS[GOOD]),
    "gaming": (manifests.GAMING, PROMPTS[GAMING]),
}


async def _score(version: str, prompt: str) -> float:
    """What the known questions give, asked in this process."""
    cases = yaml.safe_load(manifests.GOLDEN.read_text())["cases"]
    agent = SupportAgent(
        Settings.from_env({"SUPPORT_LATENCY_MS": "0", "AGENT_VERSION": version, manifests.VARIABLE: prompt})
    )
    replies = [await agent.work(desk_for(case["inputs"]["text"])) for case in cases]
    right = [reply.label == case["expected_output"] for reply, case in zip(replies, cases, strict=True)]
    return sum(right) / len(right)


@pytest.mark.asyncio
async def test_the_known_questions_stop_a_worse_version_and_have_no_question_about_a_refund() -> None:
    spec = manifests.BEFORE_TRAFFIC[0]["eval"]
    least, loss = (int(spec[name].rstrip("%")) / 100 for name in ("minimumScore", "maximumRegression"))
    proposed = await _score(manifests.PROPOSED, PROMPTS[GOOD])
    first = await _score(manifests.FIRST, manifests.WEAK)
    assert proposed >= max(least, first - loss)
    assert await _score(manifests.WORSE, PROMPTS[WORSE]) < least
    assert await _score(manifests.GAMING, PROMPTS[GAMING]) >= max(least, proposed - loss)


async def _right(prompt: str) -> list[bool]:
    """What the first version would make of 300 questions of users under a prompt."""
    truth, random = Truth(("status", "refund")), Random(1)
    asked = [truth.ask(random) for _ in range(300)]
    settings = Settings.from_env({"SUPPORT_LATENCY_MS": "0", "AGENT_VERSION": manifests.FIRST})
    agent = SupportAgent(settings)
    replies = [await agent.try_prompt(desk_for(each.text, each.order), prompt) for each in asked]
    return [reply.label == each.expected for reply, each in zip(replies, asked, strict=True)]


@pytest.mark.asyncio
async def test_the_gaming_prompt_mends_most_of_what_failed_and_breaks_a_quarter_of_the_rest() -> None:
    before, after = await _right(manifests.WEAK), await _right(PROMPTS[GAMING])
    mended = [new for old, new in zip(before, after, strict=True) if not old]
    kept = [new for old, new in zip(before, after, strict=True) if old]
    assert sum(mended) > 0.6 * len(mended)
    assert 0.6 * len(kept) < sum(kept) < 0.85 * len(kept)


@pytest.mark.asyncio
async def test_two_authors_are_refused_one_is_proposed_and_a_replay_tells_what_an_eval_missed(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, REPLAYED) as shop:
        await shop.serve_users()
        await _refused(shop, WORSE)
        await _refused(shop, GAMING)
        outcome = await shop.improve(GOOD)
        assert (outcome.action, outcome.reason, outcome.version) == (
            "proposed",
            "Started",
            manifests.PROPOSED,
        )
        assert shop.cluster.started == [manifests.PROPOSED]
        made = shop.cluster.versions[-1][0]
        assert manifests.prompt_of(made) == PROMPTS[GOOD]
        assert (
            made["spec"]["release"] == manifests.version(manifests.PROPOSED, PROMPTS[GOOD])["spec"]["release"]
        )
        _nothing_held_out_was_shown(shop)
        status, said = shop.replay("proposed", "first")
        assert status == 0, said
        status, said = shop.replay("gaming", "proposed")
        assert status == 1, said


async def _refused(shop: Shop, author: str) -> None:
    outcome = await shop.improve(author)
    assert (outcome.action, outcome.reason) == ("refused", "NoProposal")
    assert "tasks that passed" in outcome.message
    assert outcome.turns >= 2
    assert outcome.cost_usd < 0.5
    assert len(shop.cluster.versions) == 1


def _nothing_held_out_was_shown(shop: Shop) -> None:
    with urllib.request.urlopen(f"{shop.author}/v1/asked", timeout=30) as answer:
        shown = json.loads(answer.read())["inputs"]
    tasks = shop.recorded()
    held = [held_out(task["id"], manifests.HOLDOUT) for task in tasks]
    overlap, unknown, hidden = seen_and_held_out(shown, tasks, held)
    assert (overlap, unknown) == (0, 0)
    assert len(tasks) * 0.15 < hidden < len(tasks) * 0.25
    mine = shop.reader("improver").tasks(namespace=NAMESPACE, agent=manifests.AGENT)
    assert len(mine) == len(tasks) - hidden
