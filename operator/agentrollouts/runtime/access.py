"""What the shell needs of Kubernetes beyond the core's writes: the first picture, the sweep, and cleaning up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from agentrollouts.ports import Cluster, Reference


class Access(Cluster, Protocol):
    """The cluster, with reads for start-up, housekeeping and what goes on beside the ticks. Ticks never read."""

    async def find(self, reference: Reference) -> Mapping[str, Any] | None:
        """One object; None where it doesn't exist. Raises TransientError or TerminalError."""

    async def list_objects(
        self, api_version: str, kind: str, *, namespace: str = "", selector: str = ""
    ) -> list[Mapping[str, Any]]:
        """All objects of a kind, in one namespace or all."""

    async def delete(self, reference: Reference) -> None:
        """Delete an object and what it owns; GoneError if it doesn't exist."""

    async def installed_policies(self, names: Iterable[str]) -> bool:
        """Whether the named validating admission policies are in force."""
