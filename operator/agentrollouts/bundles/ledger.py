"""The adapter to a real ledger, over its HTTP interface (docs/ledger.md)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from agentrollouts.bundles.document import document, is_same
from agentrollouts.ports import Bundle, Kept, NotKept

MOST_TASKS = 50
"""Ids of failed tasks in a bundle, the newest."""
MOST_PAGES = 16
"""Pages that are read for them; a page ends at about 4 MiB, however few tasks it has."""
LONGEST_PAUSE = 300.0
"""Seconds that the ledger may ask for at most."""
_FOR_GOOD = (400, 413, 422)


class _AnswerError(Exception):
    """The ledger can't be asked now, or answers something else than it should."""

    def __init__(self, said: NotKept) -> None:
        super().__init__(said.reason)
        self.said = said


@dataclass(slots=True)
class LedgerBundles:
    """Implements :class:`agentrollouts.ports.EvidenceStore`. ``token_file`` None: the ledger asks for no token."""

    url: str
    token_file: Path | None = None
    _client: httpx.AsyncClient | None = field(default=None, repr=False)

    async def keep(self, bundle: Bundle) -> Kept | NotKept:
        """One try."""
        try:
            content = document(bundle, await self._failed_tasks(bundle))
            return await self._put(bundle, content)
        except _AnswerError as error:
            return error.said

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _put(self, bundle: Bundle, content: bytes) -> Kept | NotKept:
        path = f"/v1/evidence/{bundle.namespace}/{bundle.rollout}/{bundle.facts.attempt}"
        answer = await self._ask("PUT", path, content=content)
        if answer.status_code in (200, 201):
            return Kept()
        if answer.status_code == 409:
            # NB: an earlier try may have been kept although its answer was lost, with other tasks in it.
            if is_same(_json(await self._ask("GET", path, parameters={"uid": bundle.uid})), bundle):
                return Kept()
            return NotKept(f"it keeps other evidence for attempt {bundle.facts.attempt}", final=True)
        said = _refused(answer)
        return NotKept(said.reason, said.retry_after, final=answer.status_code in _FOR_GOOD)

    async def _failed_tasks(self, bundle: Bundle) -> list[str]:
        """Ids of what users met as failures of the candidate since it began, the newest first."""
        wanted = {
            "namespace": bundle.namespace,
            "agent": bundle.agent,
            "version": bundle.facts.version,
            "outcome": "failure",
            "since": f"{bundle.facts.started_at:%Y-%m-%dT%H:%M:%S.%fZ}",
            "limit": str(MOST_TASKS),
        }
        found: list[str] = []
        for _ in range(MOST_PAGES):
            answer = await self._ask("GET", "/v1/tasks", parameters=wanted)
            if answer.status_code != 200:
                raise _AnswerError(_refused(answer))
            # NB: beside the loop, since a page may have megabytes.
            page = await asyncio.to_thread(_json, answer)
            try:
                found += [task["id"] for task in page["tasks"] if not task["shadow"]]
                after = page["next"]
            except (KeyError, TypeError) as error:
                raise _AnswerError(NotKept(f"what answers at {self.url} is no task ledger")) from error
            if after is None or len(found) >= MOST_TASKS:
                break
            wanted["cursor"] = after
        return found[:MOST_TASKS]

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        parameters: dict[str, str] | None = None,
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if (token := self._token()) else {}
        if self._client is None:
            # NB: whoever asks has a limit of its own. The ledger is in the cluster: no proxy leads to it.
            self._client = httpx.AsyncClient(timeout=None, trust_env=False)  # noqa: S113
        try:
            return await self._client.request(
                method, self.url.rstrip("/") + path, content=content, params=parameters, headers=headers
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            kind = type(error).__name__
            raise _AnswerError(NotKept(f"the ledger at {self.url} can't be reached: {kind}")) from error

    def _token(self) -> str:
        if self.token_file is None:
            return ""
        try:
            return self.token_file.read_text(encoding="utf-8").split()[0]
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError, IndexError) as error:
            raise _AnswerError(NotKept(f"{self.token_file} has no token that can be read")) from error


def _json(answer: httpx.Response) -> Any:
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        return None


def _refused(answer: httpx.Response) -> NotKept:
    body, status = _json(answer), answer.status_code
    sentence = str(body.get("error", ""))[:300] if isinstance(body, dict) else ""
    hint = ": the operator's token must be one of the ledger's role operator" if status in (401, 403) else ""
    retry = answer.headers.get("retry-after", "")
    pause = (
        min(float(retry), LONGEST_PAUSE) if retry.isascii() and retry.isdigit() and len(retry) < 6 else None
    )
    return NotKept(f"the ledger answered {status}{f': {sentence}' if sentence else ''}{hint}", pause)
