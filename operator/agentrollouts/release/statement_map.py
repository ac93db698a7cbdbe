"""A signed statement without a registry: one immutable ConfigMap each, so that whoever vouches needs nobody else's."""

from __future__ import annotations

from typing import Any

from agentrollouts.api.base import GROUP
from agentrollouts.api.scalars import short_digest
from agentrollouts.release.attestation import Subject
from agentrollouts.release.canonical import CanonicalError, read_json
from agentrollouts.release.errors import ReleaseError

ATTESTS = f"{GROUP}/attests"
"""Label: the short digest of the artifact. The operator watches the ConfigMaps that have it."""


def statement_map(agent: str, about: Subject, claim: str, envelope: bytes) -> dict[str, Any]:
    """The manifest of the ConfigMap, named by version, artifact, claim and key. Raises ReleaseError where it isn't signed."""
    try:
        key = str(read_json(envelope)["signatures"][0]["keyid"])
    except (CanonicalError, KeyError, TypeError, IndexError) as error:
        raise ReleaseError("expected a DSSE envelope with a signature") from error
    short = short_digest(about.digest)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{about.name}-{short}-{claim}-{key[:8]}",
            "labels": {f"{GROUP}/agent": agent, ATTESTS: short},
            "annotations": {f"{GROUP}/artifact-digest": about.digest},
        },
        "immutable": True,
        "data": {f"{claim}.json": envelope.decode()},
    }
