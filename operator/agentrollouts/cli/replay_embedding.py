"""The options of `replay run --compare embedding`. Without that kind of comparison no text leaves for an endpoint."""

from __future__ import annotations

from typing import Annotated

import typer

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
