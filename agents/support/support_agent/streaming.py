"""Server-sent events at a given pace: a long stream is how tests see that a share change leaves open streams alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Pace(BaseModel):
    """Query parameters of a stream: so many `token` events, so many milliseconds apart."""

    model_config = ConfigDict(extra="forbid")

    chunks: Annotated[int, Field(ge=1, le=10_000)] = 8
    interval_ms: Annotated[float, Field(ge=0, le=60_000)] = 10.0


async def sse_events(body: Mapping[str, str], pace: Pace) -> AsyncIterator[str]:
    """The answer in exactly `chunks` pieces, the surplus ones empty, and then everything in one `done` event."""
    answer = body["answer"]
    for index in range(pace.chunks):
        start, end = (len(answer) * edge // pace.chunks for edge in (index, index + 1))
        yield sse_event("token", {"index": index, "text": answer[start:end]})
        await asyncio.sleep(pace.interval_ms / 1000)
    yield sse_event("done", body)


def sse_event(name: str, data: Mapping[str, object]) -> str:
    """One event in the wire format."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
