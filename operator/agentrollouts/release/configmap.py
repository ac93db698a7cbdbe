"""A release without a registry: one immutable ConfigMap, which the API server itself refuses to change.

One and not one a part, so that a release is there as a whole or not at all. It holds the manifest and the documents, so it is read
as carefully as what comes from a registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentrollouts.api.base import GROUP
from agentrollouts.api.scalars import short_digest
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.digest import PARTS
from agentrollouts.release.errors import IntegrityError, ReleaseError
from agentrollouts.release.package import Package, artifact_of, package_of, read_manifest

LARGEST = 1024 * 1024
"""Bytes of all keys and values: what the API server takes."""
MANIFEST = "manifest.json"
CONFIG = "parts.json"


def configmap_name(version: str, digest: str) -> str:
    """What the ConfigMap of a release is called; ``version`` is the AgentVersion's name, such as support-2.1.0."""
    return f"{version}-{short_digest(digest)}"


def configmap_of(artifact: Artifact) -> dict[str, Any]:
    """The manifest of the ConfigMap, named by :func:`configmap_name`.

    Raises ReleaseError where the documents don't fit into one ConfigMap.
    """
    package = package_of(artifact)
    contents = {MANIFEST: package.manifest, CONFIG: artifact.config} | {
        f"{part}.json": document.content for part, document in artifact.documents.items()
    }
    size = sum(len(name) + len(content) for name, content in contents.items())
    if size > LARGEST:
        largest = max(artifact.documents, key=lambda part: len(contents[f"{part}.json"]))
        raise ReleaseError(
            f"expected at most {LARGEST} bytes, what a ConfigMap can hold; the release has {size}, most of them in {largest}:"
            " push it to a registry instead"
        )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": configmap_name(artifact.name, artifact.digest),
            "labels": {
                f"{GROUP}/agent": artifact.agent,
                f"{GROUP}/artifact": short_digest(artifact.digest),
            },
            "annotations": {f"{GROUP}/artifact-digest": artifact.digest},
        },
        "immutable": True,
        "data": {name: content.decode() for name, content in contents.items()},
    }


def package_in(configmap: Mapping[str, Any]) -> Package:
    """The package in a ConfigMap, unchecked but for its shape: :func:`artifact_of` does the rest. Raises IntegrityError."""
    data = configmap.get("data")
    wanted = {MANIFEST, CONFIG, *(f"{part}.json" for part in PARTS)}
    if not isinstance(data, Mapping) or set(data) != wanted:
        got = ", ".join(sorted(map(str, data))) if isinstance(data, Mapping) and data else "none"
        raise IntegrityError(f"expected a ConfigMap with the keys {', '.join(sorted(wanted))}; got {got}")
    contents = {name: str(content).encode() for name, content in data.items()}
    keys = (CONFIG, *(f"{part}.json" for part in PARTS))
    named = read_manifest(contents[MANIFEST]).blobs.values()
    return Package(
        contents[MANIFEST],
        {blob.digest: contents[key] for blob, key in zip(named, keys, strict=True)},
    )


def artifact_in(configmap: Mapping[str, Any], digest: str) -> Artifact:
    """The artifact in a ConfigMap, worked out again. Raises IntegrityError where it isn't the promised one."""
    artifact = artifact_of(package_in(configmap))
    if artifact.digest != digest:
        raise IntegrityError(f"expected {digest}, what the AgentVersion says; it holds {artifact.digest}")
    return artifact
