"""`Source` over the official client's asyncio half, on raw JSON: the objects are read by `model`, not by its classes."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.client.rest import RESTClientObject

from agentrollouts.dataplane.model import AGENT_LABEL
from agentrollouts.dataplane.watch import Event, ExpiredError, Listing, SilentError, SourceError

WATCH_SECONDS = 300
"""The server ends a watch after this; the client gives up ten seconds later."""
SILENCE_SECONDS = 100
"""A server sends a bookmark about every minute; this long without a line means that nobody is there."""
PAGE = 500

_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=WATCH_SECONDS + 10, sock_connect=5, sock_read=SILENCE_SECONDS)
_LIST_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5, sock_read=30)


class _KeptAlive(RESTClientObject):
    """The client's transport with TCP keep-alive: a server whose node vanished is noticed in 25 s, not at the next bookmark."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=16, ssl=self.ssl_context, socket_factory=_socket)


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


async def connect() -> client.ApiClient:
    """A client for the cluster this pod runs in, or for $KUBECONFIG where that is set."""
    configuration = client.Configuration()
    if path := os.environ.get("KUBECONFIG"):
        await config.load_kube_config(
            config_file=path, client_configuration=configuration, persist_config=False
        )  # type: ignore[no-untyped-call]
    else:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    api = client.ApiClient(configuration)
    api.rest_client = _KeptAlive(configuration)
    return api


class KubeSource:
    """One resource, in one namespace or in all."""

    def __init__(
        self, api: client.ApiClient, *, group: str, resource: str, namespace: str, labels: str = ""
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self._api = api
        scope = f"/namespaces/{namespace}" if namespace else ""
        self._path = f"/apis/{group}{scope}/{resource}"
        self._query = [("labelSelector", labels)] if labels else []

    async def list_all(self) -> Listing:
        """All objects, page by page."""
        objects: list[Any] = []
        following = ""
        while True:
            query = [("limit", str(PAGE))] + ([("continue", following)] if following else [])
            response = await self._get(query, _LIST_TIMEOUT)
            try:
                page = json.loads(await response.read())
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise SourceError(f"list of {self.resource} broke off: {error!r}") from error
            objects += page["items"]
            following = page["metadata"].get("continue", "")
            if not following:
                return Listing(objects, page["metadata"]["resourceVersion"])

    async def watch(self, version: str) -> AsyncIterator[Event]:
        """Changes after a version, bookmarks among them."""
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(WATCH_SECONDS)),
        ]
        response = await self._get(query, _WATCH_TIMEOUT)
        try:
            while line := await response.content.readline():
                yield _event(line)
        except TimeoutError as error:
            raise SilentError(f"{self.resource}: nothing heard for {SILENCE_SECONDS} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SourceError(f"watch of {self.resource} broke off: {error!r}") from error
        finally:
            response.close()

    async def _get(
        self, query: list[tuple[str, str]], limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        request = await self._api.param_serialize(
            method="GET",
            resource_path=self._path,
            query_params=[*self._query, *query],
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        try:
            answer = await self._api.call_api(*request, _request_timeout=limits)
            response: aiohttp.ClientResponse = answer.response
            if response.status == 200:
                return response
            text = (await response.text())[:300]
        except (aiohttp.ClientError, OSError) as error:
            raise SourceError(f"{self.resource}: the API server doesn't answer: {error!r}") from error
        raise _failure(response.status, f"{self.resource}: expected 200, got {response.status}: {text}")


def _event(line: bytes) -> Event:
    parsed = json.loads(line)
    if parsed["type"] == "ERROR":
        status = parsed["object"]
        raise _failure(int(status.get("code", 0)), str(status.get("message", "")))
    return Event(parsed["type"], parsed["object"])


def _failure(code: int, message: str) -> SourceError:
    return ExpiredError(message) if code == 410 else SourceError(message)


def sources(api: client.ApiClient, namespace: str) -> tuple[KubeSource, KubeSource]:
    """Routes and endpoints of one namespace, or of all ("")."""
    routes = KubeSource(api, group="agentrollouts.io/v1alpha1", resource="agentroutes", namespace=namespace)
    endpoints = KubeSource(
        api, group="discovery.k8s.io/v1", resource="endpointslices", namespace=namespace, labels=AGENT_LABEL
    )
    return routes, endpoints
