"""One POST of a batch of records to the ledger, over plain `http.client`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 10.0
_MAX_ANSWER_BYTES: Final = 1_048_576
_TOO_MUCH: Final = (400, 413)
_NOT_ALLOWED: Final = (401, 403)


class Delivery(NamedTuple):
    """What the ledger has of a batch, and for each record that it will never take, why."""

    posted: int
    refused: tuple[str, ...]


class LedgerDownError(Exception):
    """The ledger has none of it now; `retry_seconds` is when it wants to be asked again, 0 where it didn't say."""

    def __init__(self, sentence: str, *, retry_seconds: float = 0.0) -> None:
        super().__init__(sentence)
        self.retry_seconds = retry_seconds


def deliver(url: str, token_file: str, lines: Sequence[bytes]) -> Delivery:
    """Post the records. LedgerDownError when none was taken and all may be posted again.

    A token file that isn't there is none: the operator names it whether or not the pod was given one.
    """
    token = _token(token_file)
    status, body, retry = _post(url, token, b"".join(line + b"\n" for line in lines))
    if status in _TOO_MUCH:
        return _in_parts(url, token_file, lines, body)
    answer = _read(body) if status == 202 else None
    if answer is None:
        seen = f"expected the task ledger at {url} to answer 202, got {status}: {body[:200].decode(errors='replace')}"
        raise LedgerDownError(
            f"{seen}; {_to_be_let_in(token_file, token)}" if status in _NOT_ALLOWED else seen,
            retry_seconds=float(retry) if retry.isdecimal() and len(retry) < 6 else 0.0,
        )
    refused = tuple(str(item.get("error", "")) for item in answer if isinstance(item, dict))
    return Delivery(len(lines) - len(refused), refused)


def _in_parts(url: str, token_file: str, lines: Sequence[bytes], body: bytes) -> Delivery:
    """Whoever is in front of the ledger may take less at once; a single record that is too much is refused."""
    if len(lines) == 1:
        return Delivery(0, (body[:200].decode(errors="replace"),))
    half = len(lines) // 2
    first, second = deliver(url, token_file, lines[:half]), deliver(url, token_file, lines[half:])
    return Delivery(first.posted + second.posted, first.refused + second.refused)


def _to_be_let_in(token_file: str, token: str) -> str:
    role = "a token of the ledger's role agent"
    if token:
        return f"give AGENT_LEDGER_TOKEN_FILE={token_file} {role}"
    if token_file:
        return (
            f"AGENT_LEDGER_TOKEN_FILE={token_file} isn't there: make the Secret that is mounted there, "
            f"with {role} in its entry agent"
        )
    return f"name a file with {role} in AGENT_LEDGER_TOKEN_FILE"


def _token(token_file: str) -> str:
    if not token_file:
        return ""
    try:
        return Path(token_file).read_text().split()[0]
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeError, IndexError) as error:
        raise LedgerDownError(
            f"AGENT_LEDGER_TOKEN_FILE={token_file} has no token that can be read"
        ) from error


def _post(url: str, token: str, body: bytes) -> tuple[int, bytes, str]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    headers = {"Content-Type": "application/x-ndjson"} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", parts.path.rstrip("/") + "/v1/tasks", body, headers)
        response = connection.getresponse()
        return response.status, response.read(_MAX_ANSWER_BYTES), response.getheader("retry-after", "")
    except (OSError, HTTPException, ValueError) as error:
        raise LedgerDownError(
            f"the task ledger at {url} can't be reached: {type(error).__name__}: {error}"
        ) from error
    finally:
        connection.close()


def _read(body: bytes) -> list[Any] | None:
    """The records that were refused; None where the answer is none of a ledger."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    rejected = answer.get("rejected") if isinstance(answer, dict) else None
    return rejected if isinstance(rejected, list) else None
