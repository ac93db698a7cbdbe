"""The body of an answer, up to a size: whoever answers must not be able to fill our memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol


class TooLargeError(Exception):
    """The body goes on beyond what is read."""


class Streamed(Protocol):
    """An answer whose body hasn't been read yet, such as httpx's."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body, piece by piece."""


async def content_of(answer: Streamed, most: int) -> bytes:
    """The whole body, at most ``most`` bytes. Raises TooLargeError, and whatever the connection does."""
    body = await beginning_of(answer, most)
    if len(body) > most:
        raise TooLargeError(f"larger than {most} bytes")
    return body


async def beginning_of(answer: Streamed, most: int) -> bytes:
    """The body; of one that is larger than ``most`` bytes a little more than that. Raises whatever the connection does."""
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > most:
            break
    return bytes(body)
