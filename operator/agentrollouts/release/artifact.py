"""The artifact: five documents of one release of one agent, under one digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from agentrollouts.api.agentversion import Lineage, Release
from agentrollouts.api.base import API_VERSION, GROUP
from agentrollouts.release.canonical import canonical
from agentrollouts.release.digest import PARTS, artifact_digest
from agentrollouts.release.documents import (
    CodeDocument,
    DataDocument,
    Document,
    ModelDocument,
    PromptsDocument,
    ToolsDocument,
)

KINDS: Mapping[str, type[Document]] = MappingProxyType(
    {
        "code": CodeDocument,
        "model": ModelDocument,
        "prompts": PromptsDocument,
        "tools": ToolsDocument,
        "data": DataDocument,
    }
)
assert tuple(KINDS) == PARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One release. Agent, version and lineage are words about it: the same five parts are the same artifact."""

    agent: str
    version: str
    code: CodeDocument
    model: ModelDocument
    prompts: PromptsDocument
    tools: ToolsDocument
    data: DataDocument
    lineage: Lineage = field(default_factory=Lineage)

    @property
    def name(self) -> str:
        """The AgentVersion's."""
        return f"{self.agent}-{self.version}"

    @property
    def documents(self) -> dict[str, Document]:
        """Part name to document, in the usual order."""
        return {part: getattr(self, part) for part in PARTS}

    @property
    def parts(self) -> dict[str, str]:
        """Part name to digest."""
        return {part: document.part_digest for part, document in self.documents.items()}

    @property
    def digest(self) -> str:
        """The artifact digest: what an approval is for."""
        return artifact_digest(self.parts)

    @property
    def config(self) -> bytes:
        """The bytes that the artifact digest is the hash of."""
        return canonical(self.parts)


def release_of(artifact: Artifact) -> Release:
    """What an AgentVersion says of an artifact: the five digests, and for people what fits beside them."""
    code, model, tools = artifact.code, artifact.model, artifact.tools
    parts = artifact.parts
    return Release.model_validate(
        {
            "code": {"digest": parts["code"], "image": code.image},
            "model": {
                "digest": parts["model"],
                "provider": model.provider,
                "name": model.name,
                "snapshot": model.snapshot,
                "parameters": {name: _written(value) for name, value in model.parameters.items()},
                "steps": [
                    {"step": step, "provider": used.provider, "name": used.name, "snapshot": used.snapshot}
                    for step, used in sorted(model.steps.items())
                ],
            },
            "prompts": {"digest": parts["prompts"], "source": _names(list(artifact.prompts.files))},
            "tools": {"digest": parts["tools"], "names": [tool.name for tool in tools.tools]},
            "data": {
                "digest": parts["data"],
                "source": artifact.data.source or _names(list(artifact.data.files)),
            },
        }
    )


def agent_version(artifact: Artifact) -> dict[str, Any]:
    """An AgentVersion manifest without its pods: add ``spec.template`` or ``spec.deploymentRef``."""
    spec: dict[str, Any] = {
        "agent": artifact.agent,
        "version": artifact.version,
        "release": release_of(artifact).model_dump(by_alias=True, exclude_defaults=True),
    }
    lineage = artifact.lineage.model_dump(by_alias=True, exclude_defaults=True)
    return {
        "apiVersion": f"{GROUP}/{API_VERSION}",
        "kind": "AgentVersion",
        "metadata": {"name": artifact.name},
        "spec": spec | ({"lineage": lineage} if lineage else {}),
    }


def _written(value: bool | int | str) -> str:
    """As YAML and JSON write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(files: list[str]) -> str:
    """The files, as far as they fit a label."""
    if not files:
        return ""
    first, more = min(files), len(files) - 1
    text = f"{first} and {more} more" if more else first
    return text if len(text) <= 256 else f"{len(files)} files"
