"""Where recorded tasks come from: a file of JSON lines, or the task ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.errors import NotYetError, ReplayError
from agentrollouts.replay.unicode import written_down

_PAGE = 200
_SECONDS = 30.0
_REFUSALS = (401, 403)


def from_file(path: Path) -> Iterator[TaskRecord]:
    """The records of a file, one a line, as ``agentrollout tasks`` prints them.

    Raises:
        ReplayError: the file can't be read, or a line is no record.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReplayError(
            f"can't read {path}: {getattr(error, 'strerror', None) or 'it is no UTF-8 text'}"
        ) from error
    # NB: not splitlines(): a line separator of Unicode is no end of a line of JSON.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _record(line, f"{path}, line {number}")


def from_ledger(
    client: httpx.Client,
    url: str,
    *,
    namespace: str,
    agent: str,
    version: str = "",
    outcome: str = "",
    most: int = 10_000,
) -> Iterator[TaskRecord]:
    """The newest tasks of an agent in the ledger, at most ``most`` of them.

    Raises:
        NotYetError: the ledger can't be reached, is out of order, or refuses; it knows a new token about a minute late.
        ReplayError: it answers something else.
    """
    about = {"namespace": namespace, "agent": agent, "version": version, "outcome": outcome}
    given: dict[str, str | int] = {name: value for name, value in about.items() if value}
    found = 0
    cursor: str | None = ""
    while cursor is not None and found < most:
        page = _page(client, url, {**given, "limit": _PAGE, **({"cursor": cursor} if cursor else {})})
        for task in page["tasks"][: most - found]:
            found += 1
            yield _validated(task, f"the ledger at {url}")
        cursor = page.get("next")


def _page(client: httpx.Client, url: str, parameters: Mapping[str, str | int]) -> Mapping[str, Any]:
    try:
        answer = client.get(f"{url.rstrip('/')}/v1/tasks", params=parameters, timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        may_pass = isinstance(error, httpx.TransportError) and not isinstance(
            error, httpx.UnsupportedProtocol
        )
        kind = NotYetError if may_pass else ReplayError
        raise kind(f"the task ledger at {url} can't be reached: {error}") from error
    kind = NotYetError if answer.status_code in _REFUSALS or answer.is_server_error else ReplayError
    try:
        body = answer.json()
    except ValueError as error:
        raise kind(f"what answers at {url} is no task ledger (status {answer.status_code})") from error
    if not answer.is_success or not isinstance(body, dict) or not isinstance(body.get("tasks"), list):
        sentence = body.get("error") if isinstance(body, dict) else None
        hint = (
            ": name the file of a token that may read with --token-file"
            if answer.status_code in _REFUSALS
            else ""
        )
        raise kind(f"{sentence or f'the task ledger at {url} answered {answer.status_code}'}{hint}")
    return body


def _record(line: str, where: str) -> TaskRecord:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"{where}: expected a task record as JSON; {error}") from error
    return _validated(value, where)


def _validated(value: Any, where: str) -> TaskRecord:
    try:
        return TaskRecord.model_validate(written_down(value))
    except ValidationError as error:
        first = error.errors()[0]
        raise ReplayError(
            f"{where}: expected a task record; {'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
        ) from error
