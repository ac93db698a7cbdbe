"""The artifact digest: one name for all five parts of a release. An approval is for exactly this."""

from __future__ import annotations

from collections.abc import Mapping

from agentrollouts.api.agentversion import Release
from agentrollouts.release.canonical import canonical, sha256

PARTS = ("code", "model", "prompts", "tools", "data")


def parts_of(release: Release) -> dict[str, str]:
    """Part name to digest; names, sources and other words about a part don't count."""
    return {part: getattr(release, part).digest for part in PARTS}


def artifact_digest(parts: Mapping[str, str]) -> str:
    """``sha256:`` and the hash over the canonical JSON of the five digests.

    Canonical: keys sorted, UTF-8, no space, and strings only, so every language hashes the same bytes. Raises ValueError
    unless exactly the five parts are given.
    """
    if set(parts) != set(PARTS):
        raise ValueError(
            f"expected the digests of {', '.join(PARTS)}; got {', '.join(sorted(parts)) or 'none'}"
        )
    return sha256(canonical(dict(parts)))


def digest_of(release: Release) -> str:
    """The artifact digest of a release."""
    return artifact_digest(parts_of(release))
