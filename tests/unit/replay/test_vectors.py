"""The file of vectors, and what is asked for beside it."""

from __future__ import annotations

import asyncio
import json
from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentrollouts.replay.embed import NotNowError, embedded, pause
from agentrollouts.replay.embedding import MOST_TEXTS, Vector, Vectors, unit
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.pace import Pace
from agentrollouts.replay.vectors import KeptVectors

PACE = Pace(concurrency=3, retries=2, pause=0.0)
VECTORS = {"paid": unit([0.1, 0.7, 1e-9]), "settled\u2028 ä": unit([3.0, -1.0, 5.0])}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


def opened(
    path: Path, *, url: str = "http://a/v1", model: str = "m", most_bytes: int = 1 << 20
) -> KeptVectors:
    return KeptVectors(path, url=url, model=model, most_bytes=most_bytes)


def test_what_is_kept_is_found_bit_by_bit_and_by_its_model_only(path: Path) -> None:
    kept = opened(path)
    assert kept.find(VECTORS) == {}
    kept.keep(VECTORS)
    for again in (kept, opened(path), opened(path, url="http://a/v1/")):
        assert again.find([*VECTORS, "other"]) == VECTORS
    assert opened(path, model="n").find(VECTORS) == opened(path, url="http://b/v1").find(VECTORS) == {}
    opened(path, model="n").keep({"paid": unit([1.0])})
    assert opened(path).find(VECTORS) == VECTORS


def test_only_the_owner_can_read_it_and_it_has_neither_text_nor_address(path: Path) -> None:
    opened(path).keep(VECTORS)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(word in path.read_text() for word in ("paid", "settled", "http:"))


def test_a_torn_line_and_what_is_no_vector_are_left_out(path: Path) -> None:
    opened(path).keep(VECTORS)
    header, line, _ = (found for found in path.read_bytes().split(b"\n") if found)
    kept = json.loads(line)
    broken = [
        json.dumps(kept | {"text": "x"}).encode()[:-20],
        *(json.dumps(kept | {"vector": vector}).encode() for vector in ("", "AAAA", "ä", "AAAAAAAAAAA=", "AADAfw==", 5, None)),
        b"5",
        b"\xff",
    ]  # fmt: skip
    path.write_bytes(b"\n".join([header, *broken]))
    assert opened(path).find(VECTORS) == {}
    opened(path).keep(VECTORS)
    assert opened(path).find(VECTORS) == VECTORS


def test_it_grows_to_its_bound_only(path: Path) -> None:
    opened(path).keep(VECTORS)
    size = path.stat().st_size
    path.unlink()
    opened(path, most_bytes=size - 1).keep(VECTORS)
    opened(path, most_bytes=size - 1).keep(VECTORS)
    assert path.stat().st_size < size
    assert list(opened(path).find(VECTORS)) == ["paid"]


@pytest.mark.parametrize("content", ["a diary\n", '{"journal": "x"}\n', '{"vectors": "x/v2"}\n', "[]"])
def test_something_else_is_refused_and_left_alone(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(ReplayError, match="expected embeddings of a replay in"):
        opened(path)
    assert path.read_text() == content


def test_a_file_that_cant_be_had_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="can't read the embeddings' file"):
        opened(tmp_path)
    with pytest.raises(ReplayError, match="can't write the embeddings' file"):
        opened(tmp_path / "no" / "file").keep(VECTORS)


class Table:
    """An embedder whose vectors begin with a text's length. ``fails``: how the first tries go wrong."""

    def __init__(self, *fails: Exception) -> None:
        self.fails = list(fails)
        self.asked: list[tuple[str, ...]] = []
        self.running = self.most = 0
        self.full = asyncio.Event()

    async def vectors(self, texts: Sequence[str]) -> Sequence[Vector]:
        self.asked.append(tuple(texts))
        if self.fails:
            raise self.fails.pop(0)
        self.running += 1
        self.most = max(self.most, self.running)
        # Whoever comes first waits until as many as may be are there.
        if self.running == PACE.concurrency:
            self.full.set()
        if len(texts) == MOST_TEXTS:
            await asyncio.wait_for(self.full.wait(), 60)
        self.running -= 1
        return [unit([float(len(text)), 1.0]) for text in texts]


def ask(texts: Sequence[str], embedder: Table, kept: KeptVectors) -> tuple[Vectors, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    found = asyncio.run(embedded(texts, embedder, kept, PACE, lambda done, all_: told.append((done, all_))))
    return found, told


def test_every_text_gets_its_vector_and_none_is_asked_for_twice(path: Path) -> None:
    texts = ["x" * n for n in range(1, 5 * MOST_TEXTS)]
    kept, table = opened(path), Table()
    found, told = ask(texts, table, kept)
    assert found == {text: unit([float(len(text)), 1.0]) for text in texts}
    assert (table.most, told[0], told[-1]) == (PACE.concurrency, (0, len(texts)), (len(texts), len(texts)))
    more = Table()
    assert ask([*texts, "ä"], more, opened(path))[0] == {**found, "ä": unit([1.0, 1.0])}
    assert more.asked == [("ä",)]


def test_what_may_pass_is_tried_again(path: Path) -> None:
    table = Table(*[NotNowError("busy")] * PACE.retries)
    assert ask(["a"], table, opened(path))[0].keys() == {"a"}
    assert len(table.asked) == PACE.retries + 1


def test_a_pause_doubles_and_is_as_long_as_the_endpoint_wants_up_to_a_minute() -> None:
    pace = Pace(pause=0.5)
    assert [pause(pace, tries, 0.0) for tries in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert [pause(pace, 2, asked) for asked in (0.5, 7.0, 3600.0)] == [1.0, 7.0, 60.0]


def test_what_doesnt_pass_ends_it(path: Path) -> None:
    table = Table(*[NotNowError("it is busy")] * (PACE.retries + 1))
    with pytest.raises(ReplayError, match=r"it is busy, after 3 tries.*start the replay again"):
        ask(["a"], table, opened(path))


class RefusesTheLast(Table):
    """Answers a whole batch, and no smaller one; this it refuses when the other is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = asyncio.Event()

    async def vectors(self, texts: Sequence[str]) -> Sequence[Vector]:
        if len(texts) == MOST_TEXTS:
            self.full.set()
            return await super().vectors(texts)
        await self.kept.wait()
        raise ReplayError("it wants another key")


def test_what_came_before_an_error_is_kept(path: Path) -> None:
    texts = ["x" * n for n in range(1, MOST_TEXTS + 2)]
    table = RefusesTheLast()

    def tell(done: int, _: int) -> None:
        if done == MOST_TEXTS:
            table.kept.set()

    with pytest.raises(ReplayError, match="it wants another key"):
        asyncio.run(embedded(texts, table, opened(path), PACE, tell))
    assert opened(path).find(texts).keys() == set(texts[:-1])


def test_vectors_of_another_length_are_another_models(path: Path) -> None:
    kept = opened(path)
    kept.keep({"paid": array("f", [1.0])})
    with pytest.raises(ReplayError, match=r"got some of 1 and some of 2 numbers.*remove .*vectors"):
        ask(["paid", "settled"], Table(), kept)
