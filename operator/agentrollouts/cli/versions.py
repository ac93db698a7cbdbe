"""Two releases of which one or both are AgentVersions in the cluster: what the ConfigMaps hold line by line, else what the specs say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agentrollouts.api.agentversion import AgentVersionSpec, Release
from agentrollouts.cli.artifacts import find
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.session import Session, Target, session
from agentrollouts.core.changes import differences
from agentrollouts.release.artifact import Artifact, release_of
from agentrollouts.release.configmap import artifact_in, configmap_name
from agentrollouts.release.digest import digest_of, parts_of
from agentrollouts.release.errors import ReleaseError


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. ``artifact`` is None where only its AgentVersion is at hand, and ``missing`` says why."""

    agent: str
    version: str
    release: Release
    artifact: Artifact | None = None
    missing: str = ""

    @property
    def digest(self) -> str:
        """The artifact digest."""
        return digest_of(self.release)


def in_cluster(what: str) -> bool:
    """Whether an argument names an AgentVersion: nothing here is called so, and it is no path and no reference."""
    return not Path(what).exists() and not what.startswith(".") and "/" not in what and "~" not in what


def sides(old: str, new: str, target: Target, *, plain_http: bool) -> tuple[Side, Side]:
    """Both, wherever they are. Only reads, with the user's own rights."""

    async def run() -> tuple[Side, Side]:
        async with session(target) as api:
            before, after = [
                await _version(api, what) if in_cluster(what) else _local(what, plain_http)
                for what in (old, new)
            ]
            return before, after

    return asyncio.run(run())


def told(old: Side, new: Side) -> str:
    """What the two specs say of the difference."""
    lines = [f"{side.agent} {side.version} {side.digest}" for side in (old, new)]
    found = [item.line for item in differences(old.release, new.release)]
    return "".join(f"{line}\n" for line in (*lines, *(found or ["no part differs"])))


def document(old: Side, new: Side) -> dict[str, Any]:
    """The same for programs, in the form of `diff` of two artifacts; there are no lines of texts."""
    return {
        "old": _named(old),
        "new": _named(new),
        "changes": [
            {
                "part": item.part,
                "subject": item.subject,
                "old": item.old or None,
                "new": item.new or None,
                "grants": item.grants,
                "lines": [],
            }
            for item in differences(old.release, new.release)
        ],
    }


def _named(side: Side) -> dict[str, Any]:
    return {
        "agent": side.agent,
        "version": side.version,
        "digest": side.digest,
        "parts": parts_of(side.release),
    }


def _local(what: str, plain_http: bool) -> Side:
    artifact = find(what, plain_http=plain_http)
    return Side(artifact.agent, artifact.version, release_of(artifact), artifact)


async def _version(api: Session, name: str) -> Side:
    found = await api.version(name)
    try:
        spec = AgentVersionSpec.model_validate(found.get("spec"))
    except ValidationError as error:
        raise CommandError(f"AgentVersion {name} can't be read: {error.errors()[0]['msg']}") from error
    digest = digest_of(spec.release)
    held = configmap_name(name, digest)
    try:
        configmap = await api.configmap(held)
    except CommandError as error:
        return Side(spec.agent, spec.version, spec.release, missing=str(error))
    if configmap is None:
        return Side(spec.agent, spec.version, spec.release, missing=f"there is no ConfigMap {held}")
    try:
        artifact = artifact_in(configmap, digest)
    except ReleaseError as error:
        raise CommandError(f"ConfigMap {held}: {error}") from error
    return Side(spec.agent, spec.version, spec.release, artifact)
