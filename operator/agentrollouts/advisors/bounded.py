"""The HTTP client with which a language model is asked: one endpoint, one bounded answer."""

from __future__ import annotations

from typing import Any, Final

import openai

from agentrollouts.bounded_body import TooLargeError, content_of

LARGEST: Final = 1 << 20
"""Bytes of an answer that are read, unless a client is made for larger ones; an endpoint must not be able to fill our memory."""

_KEPT: Final = ("content-type", "retry-after")


class BoundedClient(openai.DefaultAsyncHttpxClient):
    """Reads a bounded body and follows no redirect: the endpoint is the one that was named, and no other."""

    def __init__(self, *, largest: int = LARGEST) -> None:
        super().__init__()
        self._largest = largest

    async def send(self, request: Any, *, stream: bool = False, **kwargs: Any) -> Any:  # noqa: ARG002 - the base class names it
        """As the parent, with the body read already."""
        kwargs["follow_redirects"] = False
        response = await super().send(request, stream=True, **kwargs)
        try:
            body = await content_of(response, self._largest)
        finally:
            await response.aclose()
        kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        return type(response)(response.status_code, headers=kept, content=body, request=request)


def client_of(http: BoundedClient, *, url: str, api_key: str, timeout: float) -> openai.AsyncOpenAI:
    """The library's client of one endpoint, which asks once and never again by itself. ``timeout`` in seconds; no key: none is needed there."""
    return openai.AsyncOpenAI(
        base_url=url,
        # The library wants one, and would else take what it finds in the environment.
        api_key=api_key or "none",
        timeout=timeout,
        max_retries=0,
        http_client=http,
    )


def is_too_large(error: BaseException) -> bool:
    """Whether this is what became of a TooLargeError: some versions of the library wrap what its client raises, and some don't."""
    return isinstance(error, TooLargeError) or isinstance(error.__cause__, TooLargeError)
