"""The HTTP interface of the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agentrollouts.ledger.database import StorageUnavailableError
from agentrollouts.ledger.errors import (
    EvidenceExistsError,
    NotFoundError,
    RedactionError,
    RequestError,
    TooLargeError,
)
from agentrollouts.ledger.rights import Grants, NotAllowedError, Right
from agentrollouts.ledger.service import Service

RETRY_SECONDS = 10
"""What a client is told to wait when nothing can be stored."""
MOST_BODY_BYTES = 4 * 1024 * 1024

log = structlog.get_logger()
Endpoint = Callable[[Request], Awaitable[Response]]


def build(
    service: Service, lifespan: Callable[[Any], AbstractAsyncContextManager[None]] | None = None
) -> Starlette:
    """The ASGI application over a service."""
    pages = _Pages(service)
    evidence = "/v1/evidence/{namespace}/{rollout}"
    return Starlette(
        routes=[
            Route("/v1/tasks", pages.add_tasks, methods=["POST"]),
            Route("/v1/tasks", pages.list_tasks, methods=["GET"]),
            Route("/v1/tasks/{id}", pages.get_task, methods=["GET"]),
            Route("/v1/tasks/{id}/expected", pages.label_task, methods=["POST"]),
            Route("/v1/failures", pages.list_failures, methods=["GET"]),
            Route(evidence, pages.list_evidence, methods=["GET"]),
            Route(evidence + "/{attempt:int}", pages.put_evidence, methods=["PUT"]),
            Route(evidence + "/{attempt:int}", pages.get_evidence, methods=["GET"]),
            Route("/healthz", pages.health, methods=["GET"]),
            Route("/readyz", pages.ready, methods=["GET"]),
            Route("/metrics", pages.metrics, methods=["GET"]),
        ],
        exception_handlers={
            NotAllowedError: _not_allowed,
            NotFoundError: _answer(404),
            EvidenceExistsError: _answer(409),
            TooLargeError: _answer(413),
            RedactionError: _answer(422),
            RequestError: _answer(400),
            ClientDisconnect: _answer(400),
            StorageUnavailableError: pages.unavailable,
        },
        lifespan=lifespan,
    )


class _Pages:
    """One method a route. The database is waited for in threads."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def add_tasks(self, request: Request) -> Response:
        opened = self._grants(request).namespaces(Right.WRITE_TASKS)
        body = await _body(request)
        kind = request.headers.get("content-type", "")
        answer = await run_in_threadpool(self._service.add, body, kind, namespaces=opened)
        return JSONResponse(answer, status_code=202)

    async def list_tasks(self, request: Request) -> Response:
        return await self._page(request, failures=False)

    async def list_failures(self, request: Request) -> Response:
        return await self._page(request, failures=True)

    async def get_task(self, request: Request) -> Response:
        grants = self._grants(request)
        named = _named(request, grants, Right.READ_TASKS)
        task = request.path_params["id"]
        return _json(await run_in_threadpool(self._service.get, task, sight=grants.sight, namespace=named))

    async def label_task(self, request: Request) -> Response:
        grants = self._grants(request)
        named = _named(request, grants, Right.WRITE_TASKS)
        opened = grants.namespaces(Right.WRITE_TASKS)
        body = await _body(request)
        task = request.path_params["id"]
        await run_in_threadpool(self._service.label, task, body, namespaces=opened, namespace=named)
        return Response(status_code=204)

    async def list_evidence(self, request: Request) -> Response:
        namespace, rollout = request.path_params["namespace"], request.path_params["rollout"]
        self._grants(request).demand(Right.READ_EVIDENCE, namespace)
        return JSONResponse({"attempts": await run_in_threadpool(self._service.attempts, namespace, rollout)})

    async def put_evidence(self, request: Request) -> Response:
        self._grants(request).demand(Right.WRITE_EVIDENCE, request.path_params["namespace"])
        body = await _body(request)
        new = await run_in_threadpool(self._service.put_evidence, **request.path_params, bundle=body)
        return Response(status_code=201 if new else 200)

    async def get_evidence(self, request: Request) -> Response:
        self._grants(request).demand(Right.READ_EVIDENCE, request.path_params["namespace"])
        uid = request.query_params.get("uid")
        return _json(await run_in_threadpool(self._service.get_evidence, **request.path_params, uid=uid))

    async def health(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(self, _: Request) -> Response:
        await run_in_threadpool(self._service.check)
        return PlainTextResponse("ok\n")

    async def metrics(self, request: Request) -> Response:
        body, kind = self._service.metrics(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": kind})

    async def unavailable(self, request: Request, error: Exception) -> Response:
        self._service.telemetry.unavailable.inc()
        log.warning("the database can't be used", path=request.url.path, error=str(error))
        sentence = "the ledger can't reach its database, or it is full: nothing was stored; try again later"
        return JSONResponse({"error": sentence}, status_code=503, headers={"retry-after": str(RETRY_SECONDS)})

    def _grants(self, request: Request) -> Grants:
        return self._service.access.grants(request.headers.get("authorization", ""))

    async def _page(self, request: Request, *, failures: bool) -> Response:
        grants = self._grants(request)
        grants.namespaces(Right.READ_TASKS)
        parameters = _parameters(request)
        grants.demand(Right.READ_TASKS, parameters.get("namespace"))
        return _json(
            await run_in_threadpool(self._service.page, parameters, sight=grants.sight, failures=failures)
        )


def _parameters(request: Request) -> dict[str, str]:
    items = request.query_params.multi_items()
    parameters = dict(items)
    if len(parameters) < len(items):
        raise RequestError("expected each parameter once")
    # NB: PostgreSQL has no text with such a character in it, and raises.
    if any("\0" in text for text in (request.path_params.get("id", ""), *parameters.values())):
        raise RequestError("expected an id and parameters without the character NUL, which none has; got one")
    return parameters


def _named(request: Request, grants: Grants, right: Right) -> str | None:
    """The namespace that a request about one task names; NotAllowedError unless the right is given there, or anywhere where it names none."""
    grants.namespaces(right)
    parameters = _parameters(request)
    if unknown := sorted(parameters.keys() - {"namespace"}):
        raise RequestError(f"expected namespace=NAMESPACE or nothing; got {', '.join(unknown)[:200]}")
    named = parameters.get("namespace")
    if named is not None:
        grants.demand(right, named)
    return named


def _json(body: str | bytes) -> Response:
    return Response(body, media_type="application/json")


async def _body(request: Request) -> bytes:
    """The whole body; TooLargeError as soon as it is more than may be sent."""
    pieces: list[bytes] = []
    room = MOST_BODY_BYTES
    async for piece in request.stream():
        room -= len(piece)
        if room < 0:
            raise TooLargeError(
                f"expected a body of at most {MOST_BODY_BYTES} bytes; got more: send it in parts"
            )
        pieces.append(piece)
    return b"".join(pieces)


def _answer(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, status_code=status)

    return answer


async def _not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotAllowedError)
    status, headers = (403, None) if error.known else (401, {"www-authenticate": "Bearer"})
    return JSONResponse({"error": str(error)}, status_code=status, headers=headers)
