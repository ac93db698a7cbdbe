"""Texts beside the ticks: read early, checked, never waited for long, and missing where they can't be relied on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.core.texts import Pair, Shown, Side
from agentrollouts.ports import Key, TransientError
from agentrollouts.release.artifact import Artifact, agent_version
from agentrollouts.release.configmap import configmap_of
from agentrollouts.release.source import read_source
from agentrollouts.runtime import reader
from agentrollouts.runtime.reader import PATIENCE, Reader
from agentrollouts.runtime.scheduler import Timing
from tests.builders import digest
from tests.fakes.cluster import FakeCluster
from tests.fakes.stage import HandClock, Stage, rollout
from tests.releases import directory

KEY, OTHER = Key("Rollout", "shop", "support"), Key("Rollout", "shop", "other")
NOTIFY = [{"name": "oncall", "on": ["ApprovalNeeded", "RolledBack", "Undone"], "webhook": {"ref": "oncall"}}]
PROMPT = "You are a support agent.\nBe kind.\n"


def artifact(folder: Path, version: str, prompt: str = "") -> Artifact:
    directory(folder, version=version)
    if prompt:
        (folder / "prompts" / "system.md").write_text(prompt)
    return read_source(folder)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Artifact, Artifact]:
    return artifact(tmp_path / "old", "1.0.0"), artifact(tmp_path / "new", "2.0.0", PROMPT)


def put_texts(cluster: FakeCluster, release: Artifact, holds: Artifact | None = None) -> None:
    """The ConfigMap of a release; with ``holds``, what is in it is another one's."""
    body = configmap_of(holds or release)
    body["metadata"] = {**configmap_of(release)["metadata"], "namespace": "shop"}
    cluster.put(body)


def pair_of(old: Artifact, new: Artifact) -> Pair:
    sides = (Side(each.version, each.digest) for each in (old, new))
    return Pair("support", *sides, "SYSTEM_PROMPT", kept=True)


def in_template(number: int = 0) -> Pair:
    sides = (Side(v, digest("a"), (("agent", f"{v} {number}\n"),)) for v in ("1.0.0", "2.0.0"))
    return Pair("support", *sides, "SYSTEM_PROMPT", kept=False)


class Rig:
    """A reader alone."""

    def __init__(self) -> None:
        self.cluster, self.clock, self.woken = FakeCluster(), HandClock(), list[Key]()
        timing = Timing(monotonic=self.clock.monotonic, sleep=self.clock.sleep)
        self.reader = Reader(self.cluster, self.woken.append, timing)

    def told(self, *pairs: Pair, key: Key = KEY) -> tuple[Shown | None, ...]:
        return tuple(self.reader.told(key, pairs).values())

    async def read(self) -> None:
        """Until nothing is under way."""
        while tasks := self.reader.readings:
            await asyncio.wait(tasks)

    async def said(self, pair: Pair) -> str:
        """What is shown once it has been looked for."""
        self.told(pair)
        await self.read()
        (found,) = self.told(pair)
        assert found is not None
        return found.long


@pytest.mark.asyncio
async def test_what_is_there_is_read_once_and_its_rollouts_are_woken(both: tuple[Artifact, Artifact]) -> None:
    rig, pair = Rig(), pair_of(*both)
    for each in both:
        put_texts(rig.cluster, each)
    assert rig.told(pair) == (None,)
    assert rig.told(pair, key=OTHER) == (None,)
    await rig.read()
    assert set(rig.woken) == {KEY, OTHER}
    (found,) = rig.told(pair)
    assert found is not None
    assert "-Be brief.\n+Be kind.\n" in found.long
    rig.clock.forward(100_000)
    rig.told(pair)
    await rig.read()
    assert len(rig.cluster.reads) == 2


@pytest.mark.asyncio
async def test_what_comes_later_is_found_later(both: tuple[Artifact, Artifact]) -> None:
    rig, pair = Rig(), pair_of(*both)
    put_texts(rig.cluster, both[0])
    name = configmap_of(both[1])["metadata"]["name"]
    text = await rig.said(pair)
    assert f"the texts aren't in a ConfigMap of the namespace: there is no {name}" in text
    assert "kubectl agentrollout diff OLD NEW compares them" in text
    reads = len(rig.cluster.reads)
    assert await rig.said(pair) == text
    assert len(rig.cluster.reads) == reads, "not at every tick"
    put_texts(rig.cluster, both[1])
    rig.clock.forward(3)
    assert rig.told(pair)[0] is not None, "nobody waits a second time"
    assert "+Be kind.\n" in await rig.said(pair)
    assert rig.woken == [KEY]


@pytest.mark.asyncio
async def test_the_pauses_grow(both: tuple[Artifact, Artifact]) -> None:
    rig, pair, tried = Rig(), pair_of(*both), []
    for second in range(60):
        before = len(rig.cluster.reads)
        await rig.said(pair)
        if len(rig.cluster.reads) > before:
            tried.append(second)
        rig.clock.forward(1)
    assert tried == [0, 2, 6, 14, 30]


@pytest.mark.asyncio
async def test_another_release_under_the_name_is_no_text(both: tuple[Artifact, Artifact]) -> None:
    rig, pair = Rig(), pair_of(*both)
    put_texts(rig.cluster, both[0])
    put_texts(rig.cluster, both[1], holds=both[0])
    text = await rig.said(pair)
    assert f"the texts can't be compared: expected {both[1].digest}" in text
    assert "Be brief" not in text


@pytest.mark.asyncio
async def test_a_server_that_refuses_is_told(both: tuple[Artifact, Artifact]) -> None:
    rig = Rig()
    rig.cluster.fail_reading = lambda name: TransientError(f"GET {name}: 503\n\x1b[2J")
    text = await rig.said(pair_of(*both))
    assert "the texts couldn't be read: GET support-1.0.0-" in text
    assert text.removesuffix("\n").isprintable()


@pytest.mark.asyncio
async def test_a_bug_is_no_text_and_nobody_waits_for_it(both: tuple[Artifact, Artifact]) -> None:
    rig = Rig()
    rig.cluster.fail_reading = lambda name: RuntimeError("a bug")
    assert "the texts can't be compared: RuntimeError" in await rig.said(pair_of(*both))


@pytest.mark.asyncio
async def test_one_that_hangs_is_not_waited_for(
    both: tuple[Artifact, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, pair, begun = Rig(), pair_of(*both), asyncio.Event()

    async def hangs(_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(rig.cluster, "find", hangs)
    assert rig.told(pair) == (None,)
    await begun.wait()
    rig.clock.forward(PATIENCE - 1)
    assert rig.told(pair) == (None,)
    rig.clock.forward(1)
    (found,) = rig.told(pair)
    assert found is not None
    assert "the texts haven't been read yet" in found.long
    await rig.reader.close()
    assert rig.reader.readings == []


@pytest.mark.asyncio
async def test_prompts_of_templates_need_no_cluster() -> None:
    rig = Rig()
    assert "-1.0.0 0\n+2.0.0 0\n" in await rig.said(in_template())
    assert rig.cluster.reads == []


@pytest.mark.asyncio
async def test_what_nobody_asks_for_is_forgotten_and_room_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_PAIRS", 2)
    rig, (one, two, three) = Rig(), (in_template(n) for n in range(3))
    rig.told(one, two)
    rig.told(one, key=OTHER)
    (crowded,) = rig.told(three, key=Key("Rollout", "shop", "third"))
    assert crowded is not None
    assert "too many releases are compared at once" in crowded.long
    rig.told(one)
    assert rig.told(three, key=Key("Rollout", "shop", "third")) == (None,)
    rig.reader.forget(KEY)
    await rig.read()
    assert rig.told(one, key=OTHER)[0] is not None, "somebody still asks for it"
    rig.reader.forget(OTHER)
    rig.reader.forget(Key("Rollout", "shop", "third"))
    assert rig.reader._known == {}


def version(release: Artifact) -> dict[str, Any]:
    container = {
        "name": "agent",
        "image": "agents/support:1",
        "ports": [{"name": "http", "containerPort": 8080}],
    }
    body = agent_version(release)
    body["metadata"]["namespace"] = "shop"
    body["spec"] |= {"template": {"spec": {"containers": [container]}}, "replicas": 2}
    return body


async def beginning(both: tuple[Artifact, Artifact], *, texts: bool = True) -> Stage:
    """2.0.0 is on its way beside 1.0.0."""
    stage = Stage()
    for each in both:
        stage.cluster.put(version(each))
        if texts:
            put_texts(stage.cluster, each)
    stage.cluster.put(rollout("1.0.0", notify=NOTIFY))
    await stage.restart()
    await stage.go(1)
    stage.cluster.put(rollout("2.0.0", notify=NOTIFY))
    await stage.go(4)
    return stage


async def to_the_gate(stage: Stage) -> dict[str, Any]:
    for _ in range(14):
        stage.work()
        await stage.go(1)
    found: dict[str, Any] = stage.cluster.get("ApprovalGate", "support-2.0.0-1")["spec"]
    return found


@pytest.mark.asyncio
async def test_a_gate_a_rollback_and_an_undo_show_the_lines(both: tuple[Artifact, Artifact]) -> None:
    stage = await beginning(both)
    gate = await to_the_gate(stage)
    assert (
        "prompts: prompts/system.md\n@@ -1,2 +1,2 @@\n You are a support agent.\n-Be brief.\n+Be kind.\n"
        in gate["diff"]
    )
    stage.cluster.annotate("ApprovalGate", "support-2.0.0-1", approve="true", approved_by="ann")
    await stage.go(4)
    assert stage.shares() == {"2.0.0": 10_000}
    stage.cluster.annotate("Rollout", "support", undo="1")
    await stage.go(2)
    told = {notice.facts.happening: notice.facts.diff for _, notice in stage.notifier.got}
    assert told == {"ApprovalNeeded": gate["diff"], "Undone": gate["diff"]}


@pytest.mark.asyncio
async def test_an_operator_that_has_just_begun_makes_the_gate_with_the_lines(
    both: tuple[Artifact, Artifact],
) -> None:
    stage = await beginning(both)
    while stage.status()["candidate"]["share"] < 5_000:
        stage.work()
        await stage.go(1)
    stage.work()
    stage.clock.forward(10)
    await stage.restart()
    for _ in range(8):
        stage.work()
        await stage.go(1)
    assert "+Be kind.\n" in stage.cluster.get("ApprovalGate", "support-2.0.0-1")["spec"]["diff"]


@pytest.mark.asyncio
async def test_without_texts_the_gate_comes_all_the_same_and_says_so(both: tuple[Artifact, Artifact]) -> None:
    stage = await beginning(both, texts=False)
    gate = await to_the_gate(stage)
    assert gate["diff"].startswith(
        "the texts aren't in a ConfigMap of the namespace: there is no support-1.0.0-"
    )
    assert any(line.startswith("prompts: digest: ") for line in gate["changes"])
    stage.cluster.annotate("Rollout", "support", abort="now")
    await stage.go(1)
    ((_, notice),) = [got for got in stage.notifier.got if got[1].facts.happening == "RolledBack"]
    assert notice.facts.diff == gate["diff"]


@pytest.mark.asyncio
async def test_a_rollout_that_is_gone_leaves_nothing_behind(both: tuple[Artifact, Artifact]) -> None:
    stage = await beginning(both)
    assert stage.operator.reader._known != {}
    stage.cluster.remove("Rollout", "support")
    await stage.settle()
    assert stage.operator.reader._known == {}
