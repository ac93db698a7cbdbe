"""The task ledger as whoever has a token and a forwarded port sees it."""

from __future__ import annotations

import base64
import json
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from hack.demo import forwarding
from hack.demo.kubectl import Kubectl, KubectlError

TOKENS = "agent-rollouts-ledger-tokens"
SERVICE = "agent-rollouts-ledger"
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Reader:
    """One role's view of the ledger."""

    url: str
    token: str

    def tasks(self, **about: str) -> list[dict[str, Any]]:
        """Every task about which this is so, the newest first, over all pages: ``namespace``, ``agent``, ``version``, ``outcome``."""
        found: list[dict[str, Any]] = []
        query: dict[str, str] = {**about, "limit": str(_PAGE)}
        while True:
            page = self._get("/v1/tasks", query)
            found += page["tasks"]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}?{urllib.parse.urlencode(query)}",
            headers={"authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


def token(system: Kubectl, role: str) -> str:
    """A role's token as the chart made it. ``system`` is in the namespace of the installation."""
    found = system.get("secret", TOKENS)
    if found is None or role not in found["data"]:
        raise KubectlError(
            f"expected the entry {role} in Secret {TOKENS}, which the chart makes with the ledger"
        )
    return base64.b64decode(found["data"][role]).decode()


def forwarded(system: Kubectl) -> AbstractContextManager[str]:
    """The ledger's address on this machine, as a user reaches it."""
    return forwarding.forwarded(system, SERVICE, 8090)


def seen_and_held_out(
    shown: Sequence[str], tasks: Sequence[Mapping[str, Any]], held_out: Sequence[bool]
) -> tuple[int, int, int]:
    """How many of the inputs that an author was shown are of tasks held out, how many of no known task, and how many are held out.

    ``held_out`` says it of each of ``tasks``; ``shown`` are inputs as JSON with sorted names.
    """
    inputs = [json.dumps(task["input"], sort_keys=True) for task in tasks]
    hidden = {text for text, held in zip(inputs, held_out, strict=True) if held}
    open_ = {text for text, held in zip(inputs, held_out, strict=True) if not held}
    return len(hidden & set(shown)), len(set(shown) - hidden - open_), sum(held_out)
