"""Options that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

Agent = Annotated[
    str, typer.Argument(metavar="AGENT", help="Name of the agent, which is its Rollout's name.")
]
Kubeconfig = Annotated[
    str, typer.Option("--kubeconfig", help="Kubeconfig file.", show_default="$KUBECONFIG or ~/.kube/config")
]
Context = Annotated[
    str, typer.Option("--context", help="Context of the kubeconfig.", show_default="the current one")
]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace.", show_default="the context's")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Plain text; also where $NO_COLOR is set.")]


class Format(StrEnum):
    """Machine-readable output."""

    JSON = "json"
    YAML = "yaml"


Output = Annotated[
    Format | None, typer.Option("--output", "-o", help="Print the objects themselves.", show_default=False)
]
