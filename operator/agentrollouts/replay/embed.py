"""Asking for the embeddings of texts: some requests at once, again where that may help, what is answered into the file of vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from agentrollouts.replay.comparison import NO_VECTORS, Rule
from agentrollouts.replay.disagreement import texts_to_embed
from agentrollouts.replay.embedding import Vector, Vectors, batches
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.journal import Journal, vectors_beside
from agentrollouts.replay.pace import Pace
from agentrollouts.replay.plan import Plan
from agentrollouts.replay.vectors import KeptVectors

LONGEST_PAUSE: Final = 60.0
"""Seconds; an endpoint that wants more of them isn't waited for longer."""

Tell = Callable[[int, int], None]


class NotNowError(Exception):
    """The endpoint can't be reached, is busy or fails: asking again may help. ``after``: the seconds that it wants until then."""

    def __init__(self, why: str, *, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Embedder(Protocol):
    """Makes vectors of texts."""

    async def vectors(self, texts: Sequence[str]) -> Sequence[Vector]:
        """One for each text, in their order, with one request that isn't repeated.

        Raises:
            NotNowError: another try may help.
            ReplayError: no other try would.
        """
        ...


class Embedding(Protocol):
    """Whose vectors a replay goes by."""

    @property
    def model(self) -> str:
        """The model's name, as the report has it."""
        ...

    async def vectors(self, texts: Sequence[str], path: Path, tell: Tell) -> Vectors:
        """A vector of each text; the file at ``path`` keeps them. Raises ReplayError."""
        ...


async def answers_embedded(
    embedding: Embedding | None, plan: Plan, journal: Journal, rule: Rule, tell: Tell
) -> Vectors:
    """The vectors without which the answers in a journal can't be compared; in a file beside it. Raises ReplayError."""
    if embedding is None:
        return NO_VECTORS
    texts = texts_to_embed(plan.tasks, journal.kept.done, rule)
    return await embedding.vectors(texts, vectors_beside(journal.path), tell)


async def embedded(
    texts: Sequence[str], embedder: Embedder, kept: KeptVectors, pace: Pace, tell: Tell
) -> Vectors:
    """A vector of every text; those that are kept aren't asked for. ``tell`` hears of how many of the texts there is one.

    Raises:
        ReplayError: not all can be had. Those that came until then are kept.
    """
    found = kept.find(texts)
    waiting = batches(text for text in texts if text not in found)
    _check_lengths(found.values(), kept)
    if texts:
        tell(len(found), len(texts))

    async def work() -> None:
        for batch in waiting:
            new = dict(zip(batch, await _tried(embedder, batch, pace), strict=True))
            _check_lengths((*islice(found.values(), 1), *new.values()), kept)
            kept.keep(new)
            found.update(new)
            tell(len(found), len(texts))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(pace.concurrency):
                group.create_task(work())
    except* ReplayError as errors:
        raise errors.exceptions[0] from None
    return found


def pause(pace: Pace, tries: int, asked: float) -> float:
    """Seconds until the next try after so many; ``asked``: those that the endpoint wants."""
    return min(LONGEST_PAUSE, max(pace.pause * 2.0 ** (tries - 1), asked))


async def _tried(embedder: Embedder, batch: Sequence[str], pace: Pace) -> Sequence[Vector]:
    tries = 0
    while True:
        tries += 1
        try:
            return await embedder.vectors(batch)
        except NotNowError as error:
            if tries > pace.retries:
                raise ReplayError(
                    f"{error}, after {tries} tries. The answers are in the journal; start the replay again to go on"
                ) from None
            wait = pause(pace, tries, error.after)
        await asyncio.sleep(wait)


def _check_lengths(vectors: Iterable[Vector], kept: KeptVectors) -> None:
    lengths = sorted({len(vector) for vector in vectors})
    if len(lengths) > 1:
        raise ReplayError(
            f"expected embeddings of one length; got some of {lengths[0]} and some of {lengths[-1]} numbers. "
            f"Does another model have the name by now? Then remove {kept.path} and start the replay again"
        )
