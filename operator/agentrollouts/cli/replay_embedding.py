"""The options of `replay run --compare embedding`, and the vectors that they lead to. Without that kind of comparison no text leaves for an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from agentrollouts.cli.replay_options import progress, url
from agentrollouts.replay.comparison import NO_VECTORS, Compare
from agentrollouts.replay.embedding import Vectors
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.pace import Pace
from agentrollouts.token_file import NoTokenError, token_in

EmbeddingUrl = Annotated[
    str,
    typer.Option(
        "--embedding-url",
        metavar="URL",
        envvar="AGENT_ROLLOUTS_EMBEDDING_URL",
        help="embedding: an endpoint that speaks OpenAI's /v1/embeddings, up to /v1. Answers are sent there.",
        show_default=False,
    ),
]
EmbeddingModel = Annotated[
    str,
    typer.Option(
        "--embedding-model",
        metavar="NAME",
        envvar="AGENT_ROLLOUTS_EMBEDDING_MODEL",
        help="embedding: whose vectors.",
        show_default=False,
    ),
]
EmbeddingKeyFile = Annotated[
    str,
    typer.Option(
        "--embedding-key-file",
        metavar="FILE",
        envvar="AGENT_ROLLOUTS_EMBEDDING_KEY_FILE",
        help="embedding: a file with the endpoint's key; without one none is sent.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Embedding:
    """Which model makes vectors, and where. ``timeout`` in seconds."""

    url: str
    model: str
    key: str = field(repr=False)
    timeout: float

    async def vectors(self, texts: Sequence[str], path: Path) -> Vectors:
        """A vector of each text, those in the file at ``path`` from there. Raises ReplayError."""
        if not texts:
            return NO_VECTORS
        # NB: the library takes a second or two to import.
        from agentrollouts.embeddings.openai import OpenAIEmbeddings
        from agentrollouts.replay.embed import embedded
        from agentrollouts.replay.vectors import KeptVectors

        kept = KeptVectors(path, url=self.url, model=self.model)
        asked = OpenAIEmbeddings(url=self.url, api_key=self.key, model=self.model, timeout=self.timeout)
        try:
            return await embedded(texts, asked, kept, Pace(), progress("embeddings"))
        finally:
            await asked.close()


def embedding_of(
    compare: Compare, *, where: str, model: str, key_file: str, timeout: float
) -> Embedding | None:
    """What the options say; None where answers aren't compared by embeddings, whatever the environment has. Raises ReplayError."""
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
    return Embedding(where, model, _key(key_file), timeout)


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
