"""How far a replay has come, over HTTP: what the replaying pod says, and how it is asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import httpx

from agentrollouts.bounded_body import TooLargeError, content_of

PATH = "/v1/progress"
_SECONDS = 3.0
_MOST_BYTES = 256
_MOST = 1_000_000


def body_of(done: int, total: int) -> bytes:
    """What is answered."""
    return json.dumps({"done": done, "total": total}).encode()


@dataclass(slots=True)
class PodProgress:
    """Implements :class:`agentrollouts.ports.Progress` for the pods of replays."""

    _client: httpx.AsyncClient | None = field(default=None, repr=False)

    async def ask(self, address: str) -> str:
        """``120 of 400 answers``; empty where nobody, or nobody who knows, answers at ``host:port``."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)
        try:
            async with self._client.stream("GET", f"http://{address}{PATH}") as answer:
                said = json.loads(await content_of(answer, _MOST_BYTES))
            done, total = int(said["done"]), int(said["total"])
        except (TooLargeError, httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, LookupError):
            return ""
        return f"{done} of {total} answers" if 0 <= done <= total <= _MOST else ""

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
