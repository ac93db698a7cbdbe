"""Which endpoint is asked, and whether it gets the operator's key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from agentrollouts.api.advisor import AdvisorSpec


class Target(NamedTuple):
    """Where to send a question. ``api_key`` is empty where none may be shown."""

    url: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The operator's own endpoint, empty where it has none, and the key for it."""

    url: str = ""
    api_key: str = field(default="", repr=False)

    def target(self, spec: AdvisorSpec) -> Target | None:
        """The Rollout's endpoint, or else the operator's; None where neither is named.

        The key goes to the operator's own endpoint alone: whoever may write a Rollout may name any other, a server of
        their own included, and would read the key there.
        """
        url = spec.base_url or self.url
        if not url:
            return None
        ours = url.rstrip("/") == self.url.rstrip("/")
        return Target(url, self.api_key if ours else "")
