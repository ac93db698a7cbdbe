"""How a registry is told who asks: basic authentication, or a token it sends for."""

from __future__ import annotations

import base64
import re
from collections.abc import Generator

import httpx

from agentrollouts.release.credentials import Credentials
from agentrollouts.release.errors import RegistryError

_CHALLENGE = re.compile(r"(?P<scheme>\w+)\s+(?P<rest>.*)", re.DOTALL)
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class RegistryAuth(httpx.Auth):
    """Answers a registry's challenge once and keeps the answer, for requests to the registry itself only.

    For ``httpx.Client`` alone: a token's body is read here and not by the client, which would read every blob whole as well.
    """

    def __init__(self, base: str, credentials: Credentials | None) -> None:
        self._registry = httpx.URL(base)
        self._credentials = credentials
        self._header = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """NB: an upload's place and a blob's redirect may be on another host: it isn't sent what is meant for this one."""
        if not self._is_ours(request.url):
            yield request
            return
        if self._header:
            request.headers["authorization"] = self._header
        answer = yield request
        if answer.status_code != 401 or not self._is_ours(answer.request.url):
            return
        scheme, parameters = challenge(answer.headers.get("www-authenticate", ""))
        if scheme == "basic" and self._credentials:
            self._header = _basic(self._credentials)
        elif scheme == "bearer" and "realm" in parameters:
            self._header = f"Bearer {_token((yield self._token_request(parameters)))}"
        else:
            return
        request.headers["authorization"] = self._header
        yield request

    def _is_ours(self, url: httpx.URL) -> bool:
        ours = self._registry
        return (url.scheme, url.host, url.port) == (ours.scheme, ours.host, ours.port)

    def _token_request(self, parameters: dict[str, str]) -> httpx.Request:
        realm = httpx.URL(parameters["realm"])
        if realm.scheme != "https" and self._registry.scheme == "https":
            raise RegistryError(
                f"{self._registry.host} sends for tokens to {realm}; expected HTTPS, for the password goes there"
            )
        asked = {name: value for name, value in parameters.items() if name in ("service", "scope")}
        headers = {"authorization": _basic(self._credentials)} if self._credentials else {}
        return httpx.Request("GET", realm.copy_merge_params(asked), headers=headers)


def challenge(header: str) -> tuple[str, dict[str, str]]:
    """The scheme, in lower case, and the parameters of a ``WWW-Authenticate`` header; empty without one."""
    found = _CHALLENGE.fullmatch(header.strip())
    return (found["scheme"].lower(), dict(_PARAMETER.findall(found["rest"]))) if found else ("", {})


def _basic(credentials: Credentials) -> str:
    return f"Basic {base64.b64encode(f'{credentials.user}:{credentials.password}'.encode()).decode()}"


def _token(answer: httpx.Response) -> str:
    try:
        answer.read()
        answer.raise_for_status()
        given = answer.json()
        token = given.get("token") or given["access_token"]
    except (httpx.HTTPStatusError, ValueError, KeyError, AttributeError) as error:
        raise RegistryError(
            f"{answer.request.url.host} gave no token ({answer.status_code}); log in with `docker login`"
        ) from error
    return str(token)
