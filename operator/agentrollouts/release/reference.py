"""Where a release is in a registry: ``registry.example.com/agents/support:2.1.0`` or ``…@sha256:…``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentrollouts.release.errors import ReleaseError

_REFERENCE = re.compile(
    r"(?:oci://)?(?P<host>[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?)"
    r"/(?P<repository>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository of a registry, and which manifest of it: a digest, a tag, or both (then the digest must be the tag's)."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag, digest = (f":{self.tag}" if self.tag else ""), (f"@{self.digest}" if self.digest else "")
        return f"{self.host}/{self.repository}{tag}{digest}"

    @property
    def is_loopback(self) -> bool:
        """Whether the registry is on this machine, where plain HTTP reaches nobody else."""
        return re.sub(r":[0-9]+$", "", self.host) in _LOOPBACK


def parse_reference(text: str) -> Reference:
    """Raises ReleaseError unless the registry is named: there is no default one."""
    found = _REFERENCE.fullmatch(text)
    host = found["host"] if found else ""
    if found is None or not (set(host) & set(".:[") or host == "localhost"):
        raise ReleaseError(
            f"expected a reference such as registry.example.com/agents/support:2.1.0, registry first; got {text!r}"
        )
    if not (found["tag"] or found["digest"]):
        raise ReleaseError(f"expected a tag or a digest after {text}, such as {text}:2.1.0")
    return Reference(host, found["repository"], found["tag"] or "", found["digest"] or "")
