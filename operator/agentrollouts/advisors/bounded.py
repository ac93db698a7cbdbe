"""The HTTP client with which a language model is asked: one endpoint, one bounded answer."""

from __future__ import annotations

from typing import Any, Final

import openai

LARGEST: Final = 1 << 20
"""Bytes of an answer that are read; an endpoint must not be able to fill our memory."""


class TooLargeError(Exception):
    """The body of an answer goes on and on."""


class BoundedClient(openai.DefaultAsyncHttpxClient):
    """Reads a bounded body and follows no redirect: the endpoint is the one that was named, and no other."""

    async def send(self, request: Any, *, stream: bool = False, **kwargs: Any) -> Any:  # noqa: ARG002 - the base class names it
        """As the parent, with the body read already."""
        kwargs["follow_redirects"] = False
        response = await super().send(request, stream=True, **kwargs)
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    raise TooLargeError
        finally:
            await response.aclose()
        kind = response.headers.get("content-type", "")
        return type(response)(
            response.status_code, headers={"content-type": kind}, content=bytes(body), request=request
        )
