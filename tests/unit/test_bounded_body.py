"""A body is read up to a size, and whoever sends more is left there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from agentrollouts.bounded_body import TooLargeError, content_of


@dataclass
class Endless:
    """Pieces of four bytes, as many as anybody asks for, or so many."""

    pieces: int | None = None
    asked: list[int] = field(default_factory=list)

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        while self.pieces is None or len(self.asked) < self.pieces:
            self.asked.append(4)
            yield b"four"


@pytest.mark.asyncio
async def test_a_body_of_just_the_size_is_read() -> None:
    assert await content_of(Endless(3), 12) == b"fourfourfour"
    assert await content_of(Endless(0), 0) == b""


@pytest.mark.asyncio
async def test_what_goes_on_beyond_it_isnt() -> None:
    body = Endless()
    with pytest.raises(TooLargeError, match="larger than 11 bytes"):
        await content_of(body, 11)
    assert len(body.asked) == 3
