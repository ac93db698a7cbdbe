"""What the verbs under `models` share: which registry, and how it is read."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.lint import text_of
from agentrollouts.models.errors import ModelsError
from agentrollouts.models.registry import Models, Source, read_models

Agent = Annotated[str, typer.Argument(metavar="AGENT", help="An agent of the registry.")]
RegistryFile = Annotated[
    str,
    typer.Option(
        "--registry", metavar="FILE", help="The registry, or a ConfigMap that has it; - is standard input."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--override",
        metavar="FILE",
        help="Changes single steps; a later one goes before an earlier one.",
        show_default=False,
    ),
]


@contextmanager
def as_sentences(*, status: int = 1) -> Iterator[None]:
    """What is wrong with a registry, as the program says what is wrong."""
    try:
        yield
    except ModelsError as error:
        raise CommandError(str(error), status=status) from error


def models_in(registry: str, overrides: list[str] | None) -> Models:
    """The registry with its overrides. Raises ModelsError or CommandError."""
    return read_models(_source(registry), tuple(map(_source, overrides or ())))


def _source(name: str) -> Source:
    return Source("standard input", sys.stdin.read()) if name == "-" else Source(name, text_of(Path(name)))
