"""Attestations kept beside a release in its registry, as OCI manifests whose subject is the release.

What a registry lists is no proof of anything: the list can lack an attestation or have a stranger's. Proof is the signature.
"""

from __future__ import annotations

from typing import Any

from agentrollouts.release.attestation import LARGEST_ENVELOPE, PAYLOAD_TYPE
from agentrollouts.release.canonical import CanonicalError, canonical, read_json, sha256
from agentrollouts.release.errors import IntegrityError
from agentrollouts.release.layout import INDEX_TYPE
from agentrollouts.release.package import LARGEST_MANIFEST, MANIFEST_TYPE, Package, descriptor
from agentrollouts.release.registry import Registry

ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
EMPTY_TYPE, EMPTY = "application/vnd.oci.empty.v1+json", b"{}"
LARGEST_INDEX = 1024 * 1024
"""Bytes."""
MOST = 64
"""Attestations of one release that are looked at."""


def attach(registry: Registry, package: Package, envelope: bytes) -> str:
    """Keep an envelope beside a release that is there; the digest of its manifest. Attaching it again changes nothing.

    NB: a registry without the referrers API leaves the list to its clients, as an index under a tag made of the digest. Two that
    attach at the same moment can lose one of the two from that list.
    """
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": PAYLOAD_TYPE,
            "config": descriptor(EMPTY_TYPE, EMPTY),
            "layers": [descriptor(ENVELOPE_TYPE, envelope)],
            "subject": descriptor(MANIFEST_TYPE, package.manifest),
        }
    )
    registry.upload(EMPTY)
    registry.upload(envelope)
    answer = registry.put_manifest(sha256(manifest), manifest)
    if answer.get("oci-subject") != package.digest:
        entry = descriptor(MANIFEST_TYPE, manifest) | {"artifactType": PAYLOAD_TYPE}
        listed = _listed(registry, package)
        if entry["digest"] not in [each.get("digest") for each in listed]:
            index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [*listed, entry]}
            registry.put_manifest(_tag(package), canonical(index), INDEX_TYPE)
    return sha256(manifest)


def attached(registry: Registry, package: Package) -> list[bytes]:
    """The envelopes beside a release, unchecked but for their digests."""
    found = [each for each in _listed(registry, package) if each.get("artifactType") == PAYLOAD_TYPE]
    if len(found) > MOST:
        raise IntegrityError(f"expected at most {MOST} attestations of {package.digest}; got {len(found)}")
    return [_envelope(registry, package, str(each.get("digest"))) for each in found]


def _listed(registry: Registry, package: Package) -> list[dict[str, Any]]:
    content = registry.find(f"referrers/{package.digest}", LARGEST_INDEX, accept=INDEX_TYPE) or registry.find(
        f"manifests/{_tag(package)}", LARGEST_INDEX, accept=INDEX_TYPE
    )
    if content is None:
        return []
    try:
        entries = read_json(content)["manifests"]
        return [dict(each) for each in entries]
    except (CanonicalError, KeyError, TypeError, ValueError) as error:
        raise IntegrityError(f"the list of attestations: expected an OCI image index; {error}") from error


def _envelope(registry: Registry, package: Package, digest: str) -> bytes:
    content = registry.read(f"manifests/{digest}", LARGEST_MANIFEST, accept=MANIFEST_TYPE)
    if sha256(content) != digest:
        raise IntegrityError(f"an attestation: expected {digest}; got {sha256(content)}")
    try:
        manifest = read_json(content)
        subject, layer = manifest["subject"]["digest"], manifest["layers"][0]["digest"]
    except (CanonicalError, KeyError, TypeError, IndexError) as error:
        raise IntegrityError(
            f"an attestation {digest}: expected an OCI manifest with a subject and a layer"
        ) from error
    if subject != package.digest:
        raise IntegrityError(f"an attestation {digest}: expected the subject {package.digest}; got {subject}")
    envelope = registry.read(f"blobs/{layer}", LARGEST_ENVELOPE)
    if sha256(envelope) != layer:
        raise IntegrityError(f"an attestation {digest}: expected {layer}; got {sha256(envelope)}")
    return envelope


def _tag(package: Package) -> str:
    return package.digest.replace(":", "-")
