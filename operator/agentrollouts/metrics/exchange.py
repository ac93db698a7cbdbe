"""One query of a Prometheus API and its answer, within a budget. Whatever goes wrong is one exception with the reason."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from agentrollouts.bounded_body import TooLargeError, content_of
from agentrollouts.metrics.answers import MalformedError, error_of, result_of

_log = logging.getLogger(__name__)


class Exchange(NamedTuple):
    """One query as it went, for whoever counts them.

    ``metric`` is a counter's or a bundle's name, ``error`` is empty after a success.
    """

    metric: str
    seconds: float
    bytes: int
    error: str


class Budget(NamedTuple):
    """What one query may cost: seconds until its whole answer is there, and the answer's bytes."""

    seconds: float
    max_bytes: int


class Unanswered(Exception):  # noqa: N818 -- never leaves this package
    """No usable answer, and why. ``too_large``: less might be answered."""

    def __init__(self, reason: str, *, too_large: bool = False) -> None:
        super().__init__(reason)
        self.too_large = too_large


@dataclass(slots=True)
class Api:
    """The query endpoints of one server."""

    url: str
    client: httpx.AsyncClient
    on_exchange: Callable[[Exchange], None]
    _warned: set[str] = field(default_factory=set)

    async def ask(
        self,
        name: str,
        endpoint: str,
        form: Mapping[str, str],
        budget: Budget,
        slots: AbstractAsyncContextManager[object],
    ) -> Sequence[Mapping[str, Any]]:
        """The answer's series, and word of it to ``on_exchange`` under that name. ``slots`` is waited for outside of the budget.

        Raises:
            Unanswered: there is no answer that can be read.
        """
        body, problem, began = b"", "", time.perf_counter()
        try:
            async with slots:
                began = time.perf_counter()
                body = await self._post(endpoint, {**form, "timeout": f"{budget.seconds:g}s"}, budget)
            return self._parse(body, name)
        except Unanswered as error:
            problem = str(error)
            raise
        finally:
            self.on_exchange(Exchange(name, time.perf_counter() - began, len(body), problem))

    async def _post(self, endpoint: str, form: Mapping[str, str], budget: Budget) -> bytes:
        url = f"{self.url.rstrip('/')}/api/v1/{endpoint}"
        try:
            async with (
                asyncio.timeout(budget.seconds),
                self.client.stream(
                    "POST", url, data=form, headers={"Accept-Encoding": "identity"}, timeout=budget.seconds
                ) as response,
            ):
                body = await content_of(response, budget.max_bytes)
        except TooLargeError as error:
            raise Unanswered(f"the answer is {error}", too_large=True) from error
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Unanswered(f"no answer within {budget.seconds:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Unanswered(f"not reachable: {error or type(error).__name__}") from error
        if response.status_code != 200:
            raise _refusal(response.status_code, body)
        return body

    def _parse(self, body: bytes, name: str) -> Sequence[Mapping[str, Any]]:
        try:
            answer = json.loads(body)
            result = result_of(answer)
        except (ValueError, RecursionError) as error:
            raise Unanswered(f"expected JSON, got {body[:100]!r} ({error})") from error
        except MalformedError as error:
            raise Unanswered(str(error)) from error
        self._warn(name, answer)
        return result

    def _warn(self, name: str, answer: Mapping[str, Any]) -> None:
        """Log a server's warnings, each once: it says them with every answer."""
        for warning in map(str, answer.get("warnings") or ()):
            if warning not in self._warned and len(self._warned) < 100:
                self._warned.add(warning)
                _log.warning("Prometheus at %s warns about %s: %s", self.url, name, warning)


def _refusal(status: int, body: bytes) -> Unanswered:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    said = error_of(answer) if isinstance(answer, dict) else body[:200].decode("utf-8", "replace")
    return Unanswered(f"HTTP {status}: {said}", too_large=status == 422 and "too many samples" in said)
