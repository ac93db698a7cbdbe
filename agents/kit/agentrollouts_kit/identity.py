"""Who is reporting: the agent, its version and the digest of its release.

The operator writes these into every version pod. A run on a laptop has none of them and still has to work, so each
has a stand-in that cannot be mistaken for a released version.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

DIGEST_LABEL_LENGTH = 12
_WHOLE = re.compile("sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Identity:
    """The labels every series of one process carries; `digest` is the first 12 hex digits of the release digest.

    `namespace` is where the agent runs: it is no label, since whoever scrapes knows it, but it belongs to the name in records.
    `release_digest` is the whole of it, as `sha256:` and 64 hex digits; empty where nobody told it.
    """

    agent: str = "agent"
    version: str = "0.0.0-dev"
    digest: str = "unknown"
    release_digest: str = ""
    namespace: str = "unknown"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Identity:
        """Read AGENT_NAMESPACE, AGENT_NAME, AGENT_VERSION and AGENT_RELEASE_DIGEST (`sha256:<hex>`)."""
        whole = env.get("AGENT_RELEASE_DIGEST", "")
        digest = whole.removeprefix("sha256:")
        return cls(
            agent=env.get("AGENT_NAME") or cls().agent,
            version=env.get("AGENT_VERSION") or cls().version,
            digest=digest[:DIGEST_LABEL_LENGTH] or cls().digest,
            release_digest=whole if _WHOLE.fullmatch(whole) else "",
            namespace=env.get("AGENT_NAMESPACE") or cls().namespace,
        )
