"""Rollouts in files, and the program run over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner, Result

from agentrollouts.cli.app import app
from agentrollouts.cli.errors import CommandError

RUNS = ("--runs", "2", "--traffic", "60/min")


def manifest(mode: str = "threshold", **spec: Any) -> dict[str, Any]:
    steps = [{"share": "10%", "soak": "10m"}, {"share": "50%", "soak": "20m"}]
    body = {"agent": "support", "version": "2.0.0", "strategy": {"steps": steps}, "analysis": {"mode": mode}}
    return {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "support"},
        "spec": {**body, **spec},
    }


def other(agent: str) -> dict[str, Any]:
    return manifest(agent=agent) | {"metadata": {"name": agent}}


def written(folder: Path, *documents: Any) -> str:
    path = folder / "rollout.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=text)


def refused(*arguments: str) -> CommandError:
    error = run(*arguments).exception
    assert isinstance(error, CommandError), error
    return error
