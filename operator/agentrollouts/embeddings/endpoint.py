"""Where embeddings come from, as a command line names it, and the vectors that come from there. Nobody is asked who isn't named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from agentrollouts.replay.comparison import NO_VECTORS, Compare
from agentrollouts.replay.embed import Tell, embedded
from agentrollouts.replay.embedding import Vectors
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.pace import Pace, url
from agentrollouts.replay.vectors import KeptVectors
from agentrollouts.token_file import NoTokenError, token_in


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Implements :class:`agentrollouts.replay.embed.Embedding`. ``timeout`` in seconds, for a whole answer."""

    url: str
    model: str
    key: str = field(repr=False)
    timeout: float

    async def vectors(self, texts: Sequence[str], path: Path, tell: Tell) -> Vectors:
        """A vector of each text, those in the file at ``path`` from there. Raises ReplayError."""
        if not texts:
            return NO_VECTORS
        # NB: the library takes a second or two to import.
        from agentrollouts.embeddings.openai import OpenAIEmbeddings

        kept = KeptVectors(path, url=self.url, model=self.model)
        asked = OpenAIEmbeddings(url=self.url, api_key=self.key, model=self.model, timeout=self.timeout)
        try:
            return await embedded(texts, asked, kept, Pace(), tell)
        finally:
            await asked.close()


def endpoint_of(
    compare: Compare, *, where: str, model: str, key_file: str, timeout: float
) -> Endpoint | None:
    """What the options say; None where answers aren't compared by embeddings, whatever is said of one. Raises ReplayError."""
    if compare is not Compare.EMBEDDING:
        return None
    if not where or not model:
        raise ReplayError(
            "--compare embedding: expected an endpoint with --embedding-url and a model with --embedding-model; there is "
            f"no {'model' if where else 'endpoint'}"
        )
    try:
        parts = urlsplit(url(where, "--embedding-url"))
    except ValueError as error:
        raise ReplayError(
            f"--embedding-url: expected a URL such as http://llm.models:8000/v1; {error}"
        ) from error
    if parts.username is not None or parts.query:
        raise ReplayError(
            "--embedding-url: expected a URL without a user, a password or a query, for it is shown; a key goes into --embedding-key-file"
        )
    return Endpoint(where, model, _key(key_file), timeout)


def _key(path: str) -> str:
    try:
        key = token_in(path) if path else ""
    except NoTokenError as error:
        raise ReplayError(f"--embedding-key-file: {error}") from error
    if not key.isascii():
        raise ReplayError(
            f"--embedding-key-file: expected a key of ASCII characters in {path}; it has others"
        )
    return key
