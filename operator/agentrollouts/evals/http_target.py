"""A version that is asked over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx

from agentrollouts.bounded_body import TooLargeError, content_of
from agentrollouts.evals.target import TargetError

SESSION_HEADER = "x-agent-session"
END_HEADER = "x-agent-session-end"
LARGEST: Final = 1 << 20
"""Bytes of one answer."""


class HttpTarget:
    """POSTs each task as JSON, in a session of its own that ends with it.

    Inputs that are an object are the body as they are; anything else is sent as ``{"input": …}``. The answer is ``field`` of the JSON
    object that comes back, or all of it; what isn't JSON is text. More than :data:`LARGEST` is no answer.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, *, field: str = "") -> None:
        self._client, self._url, self._field = client, url, field

    async def ask(self, inputs: Any, session: str, /) -> Any:
        """The answer of one request; redirects aren't followed, because a login page is no answer."""
        body = inputs if isinstance(inputs, Mapping) else {"input": inputs}
        headers = {SESSION_HEADER: session, END_HEADER: "true"}
        try:
            async with self._client.stream("POST", self._url, json=body, headers=headers) as response:
                content = await content_of(response, LARGEST)
        except TooLargeError as error:
            raise TargetError(f"the answer is {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TargetError(str(error) or type(error).__name__) from error
        text = content.decode(response.encoding or "utf-8", errors="replace")
        if not response.is_success:
            raise TargetError(f"status {response.status_code}: {text[:200]}")
        return self._answer(text)

    def _answer(self, text: str) -> Any:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = text
        if not self._field:
            return value
        if not isinstance(value, Mapping) or self._field not in value:
            raise TargetError(f"expected {self._field!r} in the answer; got {str(value)[:200]}")
        return value[self._field]
