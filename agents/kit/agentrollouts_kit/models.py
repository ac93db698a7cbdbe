"""Which language model a step uses, read from the release that runs and never written in code.

The model part of a release is a JSON document. It is `model.json` in the folder where the release is mounted (`AGENT_RELEASE_DIR`), or on a
laptop the file that `agentrollout models render` made (`AGENT_MODELS_FILE`, which goes before the folder).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

MODELS_FILE: Final = "AGENT_MODELS_FILE"
RELEASE_DIR: Final = "AGENT_RELEASE_DIR"
_DOCUMENT: Final = "model.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One pinned model. A parameter is a string, an integer or a boolean; fractions are strings, as in the release."""

    provider: str
    name: str
    snapshot: str = ""
    parameters: Mapping[str, bool | int | str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Name and snapshot with a dash between, which is what most providers call a pinned model; others are yours to put together."""
        return f"{self.name}-{self.snapshot}" if self.snapshot else self.name


def model(step: str = "", env: Mapping[str, str] = os.environ) -> Model:
    """The model of a step. A release with one model has that one for every step.

    Read once in a process: a pod's release doesn't change. ValueError where no release is told of, it can't be read, or it has
    no such step; the message names the steps that it has.
    """
    path = models_file(env)
    if path is None:
        raise ValueError(
            f"no model for step {step!r}: mount the release and name its folder in {RELEASE_DIR}, or name a file of"
            f" `agentrollout models render` in {MODELS_FILE}"
        )
    document = _read(path)
    if "steps" not in document:
        return _model(document, path)
    steps = document["steps"]
    if not isinstance(steps, dict) or step not in steps:
        known = ", ".join(sorted(steps)) if isinstance(steps, dict) else "none"
        raise ValueError(f"{path} has no model for step {step!r}; it has {known or 'none'}")
    return _model(steps[step], path)


def models_file(env: Mapping[str, str] = os.environ) -> Path | None:
    """Where the models are read from; None where the environment names neither a file nor a release."""
    if file := env.get(MODELS_FILE, "").strip():
        return Path(file)
    folder = env.get(RELEASE_DIR, "").strip()
    return Path(folder) / _DOCUMENT if folder else None


@lru_cache(maxsize=8)
def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"can't read the models in {path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: expected the JSON of a release's model part; {error}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{path}: expected a JSON object; got {type(document).__name__}")  # noqa: TRY004
    return document


def _model(found: Any, path: Path) -> Model:
    try:
        parameters = MappingProxyType(dict(found.get("parameters") or {}))
        made = Model(
            provider=found["provider"],
            name=found["name"],
            snapshot=found.get("snapshot", ""),
            parameters=parameters,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected provider, name, snapshot and parameters; got {found!r}"
        ) from error
    return made
