"""Embeddings from any endpoint that speaks OpenAI's ``/v1/embeddings``. The only file of this room that knows the ``openai`` library."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import openai

from agentrollouts.advisors.bounded import BoundedClient, client_of, is_too_large
from agentrollouts.bounded_body import TooLargeError
from agentrollouts.embeddings.answer import vectors_in
from agentrollouts.replay.embed import NotNowError
from agentrollouts.replay.embedding import Vector
from agentrollouts.replay.errors import ReplayError

LARGEST: Final = 16 << 20
"""Bytes of an answer that are read: of 32 texts, in JSON, and of models with vectors twice as long as those of today."""
_PASSING: Final = frozenset({408, 409, 425, 429})


class OpenAIEmbeddings:
    """Implements :class:`agentrollouts.replay.embed.Embedder`. ``timeout`` in seconds, for a whole answer."""

    def __init__(self, *, url: str, api_key: str, model: str, timeout: float) -> None:
        self._url, self._model, self._timeout = url, model, timeout
        self._http = BoundedClient(largest=LARGEST)
        self._client = client_of(self._http, url=url, api_key=api_key, timeout=timeout)

    async def close(self) -> None:
        """Close the pool."""
        await self._http.aclose()

    async def vectors(self, texts: Sequence[str]) -> Sequence[Vector]:
        """One request, never repeated."""
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._ask(texts)
        except (TimeoutError, openai.APITimeoutError):
            raise NotNowError(f"{self._who} didn't answer within {self._timeout:g} s") from None
        except openai.APIStatusError as error:
            raise self._refusal(error, texts) from None
        except (openai.APIConnectionError, TooLargeError) as error:
            if is_too_large(error):
                raise ReplayError(f"the answer of {self._who} is longer than {LARGEST} bytes") from None
            raise NotNowError(f"{self._who} can't be reached: check the URL and the network") from None
        try:
            return vectors_in(body, len(texts))
        except ValueError as error:
            raise ReplayError(f"{self._who} answered what can't be used: {error}") from error

    async def _ask(self, texts: Sequence[str]) -> bytes:
        embeddings: Any = self._client.embeddings
        raw = await embeddings.with_raw_response.create(
            model=self._model,
            # NB: half of a surrogate pair, which JSON may have, is no text that can be sent.
            input=[text.encode("utf-8", "replace").decode() for text in texts],
            # By itself the library asks for base64, which not every endpoint knows.
            encoding_format="float",
        )
        body: bytes = raw.http_response.content
        return body

    def _refusal(self, error: openai.APIStatusError, texts: Sequence[str]) -> NotNowError | ReplayError:
        # NB: the body is the endpoint's own and may hold anything; the number says enough.
        status = error.status_code
        said = f"{self._who} answered with HTTP {status}"
        if status in _PASSING or status >= 500:
            return NotNowError(said, after=_seconds(error.response.headers.get("retry-after", "")))
        if status in (401, 403):
            return ReplayError(
                f"{said}, so it wants another key: name a file with one with --embedding-key-file"
            )
        if status == 404:
            return ReplayError(
                f"{said}: check --embedding-model, and that --embedding-url ends before /embeddings, such as http://llm.models:8000/v1"
            )
        return ReplayError(
            f"{said} to {len(texts)} texts, the longest of {max(map(len, texts))} characters. Is that more than the model "
            f"{self._model} takes? --answer compares a part of the answer"
        )

    @property
    def _who(self) -> str:
        return f"the embeddings endpoint at {self._url}"


def _seconds(text: str) -> float:
    """Those of a Retry-After; 0 where it is a date, or nothing."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0
