"""An artifact as an OCI image manifest v1.1 with a layer a part, and back. Pure; where the bytes are kept is another file's business.

The config isn't OCI's empty descriptor but the canonical document of the five digests: so the config blob's own digest *is* the artifact
digest, and any OCI client can hold what it pulls against what was approved. Nothing in a package says when or where it was made, so the
same release directory gives the same bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from agentrollouts.api.agentversion import Lineage
from agentrollouts.api.scalars import AgentName, Digest, Semver
from agentrollouts.release.artifact import KINDS, Artifact
from agentrollouts.release.canonical import CanonicalError, canonical, parse, sha256
from agentrollouts.release.digest import PARTS
from agentrollouts.release.documents import LARGEST_DOCUMENT, read_document, sentences
from agentrollouts.release.errors import IntegrityError

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
ARTIFACT_TYPE = "application/vnd.agentrollouts.release.v1+json"
CONFIG_TYPE = "application/vnd.agentrollouts.parts.v1+json"
LARGEST_MANIFEST = 64 * 1024
"""Bytes; ours has about two thousand."""

AGENT, LINEAGE = "agentrollouts.io/agent", "agentrollouts.io/lineage"
VERSION, TITLE = "org.opencontainers.image.version", "org.opencontainers.image.title"


def layer_type(part: str) -> str:
    """The media type of a part's document."""
    return f"application/vnd.agentrollouts.{part}.v1+json"


@dataclass(frozen=True, slots=True)
class Package:
    """A manifest and the blobs it names, by digest: what a layout, a registry or a ConfigMap holds."""

    manifest: bytes
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The manifest's digest: what a registry calls the package. The artifact digest is that of its config."""
        return sha256(self.manifest)


class _Stored(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)


class Descriptor(_Stored):
    """A blob: what it is, its digest and its size in bytes."""

    media_type: str
    digest: Digest
    size: int = Field(ge=0, le=LARGEST_DOCUMENT)
    annotations: dict[str, str] = Field(default_factory=dict)


class Manifest(_Stored):
    """The only form of manifest that is read: ours."""

    schema_version: Literal[2]
    media_type: Literal["application/vnd.oci.image.manifest.v1+json"]
    artifact_type: Literal["application/vnd.agentrollouts.release.v1+json"]
    config: Descriptor
    layers: list[Descriptor] = Field(min_length=5, max_length=5)
    annotations: dict[str, str]

    @property
    def blobs(self) -> dict[str, Descriptor]:
        """What each blob is called in messages, and its descriptor."""
        return {"config": self.config} | {
            f"part {part}": layer for part, layer in zip(PARTS, self.layers, strict=True)
        }


class _Words(BaseModel):
    agent: AgentName
    version: Semver
    lineage: Lineage


def package_of(artifact: Artifact) -> Package:
    """The package; the same artifact and words give the same bytes everywhere."""
    layers = {part: document.content for part, document in artifact.documents.items()}
    lineage = artifact.lineage.model_dump(by_alias=True, exclude_defaults=True)
    words = {AGENT: artifact.agent, VERSION: artifact.version}
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": ARTIFACT_TYPE,
            "config": descriptor(CONFIG_TYPE, artifact.config),
            "layers": [
                descriptor(layer_type(part), content, {TITLE: f"{part}.json"})
                for part, content in layers.items()
            ],
            "annotations": words | ({LINEAGE: canonical(lineage).decode()} if lineage else {}),
        }
    )
    blobs = {sha256(content): content for content in (artifact.config, *layers.values())}
    return Package(manifest, blobs)


def descriptor(
    media_type: str, content: bytes, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A blob's descriptor as a manifest writes it."""
    plain = {"mediaType": media_type, "digest": sha256(content), "size": len(content)}
    return plain | ({"annotations": dict(annotations)} if annotations else {})


def read_manifest(content: bytes) -> Manifest:
    """A manifest of ours. Raises IntegrityError where it is anything else, or says more than ours do."""
    try:
        given = parse(content)
        return Manifest.model_validate(given)
    except CanonicalError as error:
        raise IntegrityError(f"the manifest: {error}") from error
    except ValidationError as error:
        kind = given.get("artifactType") if isinstance(given, dict) else None
        if kind != ARTIFACT_TYPE:
            raise IntegrityError(
                f"expected a release, a manifest with the artifactType {ARTIFACT_TYPE}; got {kind or 'none'}"
            ) from error
        raise IntegrityError(f"the manifest: {'; '.join(sentences(error))}") from error


def check_blob(name: str, expected: Descriptor, content: bytes) -> None:
    """Raises IntegrityError, with the part's name, unless the bytes are those the descriptor means."""
    if len(content) != expected.size or sha256(content) != expected.digest:
        raise IntegrityError(
            f"{name}: expected {expected.digest} ({expected.size} bytes); got {sha256(content)} ({len(content)} bytes)"
        )


def artifact_of(package: Package) -> Artifact:
    """The artifact in a package, with everything worked out again.

    Raises:
        IntegrityError: a blob isn't what its descriptor says, a part isn't the one the release names, or the manifest
            says anything that :func:`package_of` wouldn't.
    """
    manifest = read_manifest(package.manifest)
    for name, blob in manifest.blobs.items():
        if blob.digest not in package.blobs:
            raise IntegrityError(f"{name}: expected a blob {blob.digest}; there is none")
        check_blob(name, blob, package.blobs[blob.digest])
    contents = {part: package.blobs[layer.digest] for part, layer in zip(PARTS, manifest.layers, strict=True)}
    documents: dict[str, Any] = {part: read_document(KINDS[part], contents[part], part) for part in PARTS}
    words = _words(manifest)
    artifact = Artifact(agent=words.agent, version=words.version, lineage=words.lineage, **documents)
    _check_parts(artifact, package.blobs[manifest.config.digest])
    if package_of(artifact).manifest != package.manifest:
        raise IntegrityError(
            "the manifest: expected what `release build` writes for these parts; its media types or annotations are others"
        )
    return artifact


def _words(manifest: Manifest) -> _Words:
    annotations = manifest.annotations
    try:
        return _Words.model_validate(
            {
                "agent": annotations.get(AGENT),
                "version": annotations.get(VERSION),
                "lineage": parse(annotations.get(LINEAGE, "{}").encode()),
            }
        )
    except CanonicalError as error:
        raise IntegrityError(f"the manifest: annotation {LINEAGE}: {error}") from error
    except ValidationError as error:
        raise IntegrityError(f"the manifest's annotations: {'; '.join(sentences(error))}") from error


def _check_parts(artifact: Artifact, config: bytes) -> None:
    try:
        named = parse(config)
    except CanonicalError as error:
        raise IntegrityError(f"config: {error}") from error
    if not isinstance(named, dict) or set(named) != set(PARTS):
        raise IntegrityError(f"config: expected the digests of {', '.join(PARTS)}; got something else")
    differ = differing(named, artifact.parts)
    if differ:
        raise IntegrityError("\n".join(differ))


def differing(expected: Mapping[str, str], got: Mapping[str, str]) -> list[str]:
    """A sentence for each part whose digests differ."""
    return [
        f"part {part}: expected {expected[part]}; got {got[part]}"
        for part in PARTS
        if expected[part] != got[part]
    ]
