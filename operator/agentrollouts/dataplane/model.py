"""What the router knows, read tolerantly from AgentRoute and EndpointSlice objects.

The pydantic models of ``api`` refuse unknown fields, which is right for what people write. A router must go
on serving when a newer operator writes a field it has never heard of, so it takes the fields it needs and
leaves the rest alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FULL = 10_000
"""All of the traffic, in basis points."""

AGENT_LABEL = "agentrollouts.io/agent"
SERVICE_LABEL = "kubernetes.io/service-name"
COHORTS = ("candidate", "stable", "control")

Key = tuple[str, str]
"""(namespace, name) of an agent's route or of a version's Service."""

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
_VERSION = re.compile(r"^[0-9A-Za-z.+-]{1,64}$")
_TOKEN = re.compile(r"^[A-Za-z0-9!#$&'*+.^_`|~-]{1,128}$")
_GROUP = re.compile(r"^[A-Za-z0-9._-]{0,63}$")


class InvalidObjectError(ValueError):
    """An object that can't be served; the last good one stays in force."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A slice of the ring of basis points and the version that answers there."""

    cohort: str
    version: str
    service: str
    share: int


@dataclass(frozen=True, slots=True)
class Route:
    """One agent's traffic. ``header`` and ``cookie`` name where the sticky key comes from; empty means the default chain."""

    namespace: str
    agent: str
    port: int
    offset: int
    arms: tuple[Arm, ...]
    header: str = ""
    cookie: str = ""
    cookie_ttl_seconds: int = 86_400
    group: str = ""
    epoch: int = 0
    timeout_seconds: int = 300
    uid: str = ""

    @property
    def key(self) -> Key:
        """(namespace, agent)."""
        return (self.namespace, self.agent)

    @property
    def services(self) -> frozenset[Key]:
        """Every Service an arm names, at share 0 too, so that growing a share never waits for a new cluster."""
        return frozenset((self.namespace, arm.service) for arm in self.arms)


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """An address that takes new requests."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Slice:
    """The endpoints of one EndpointSlice; a Service may have several."""

    namespace: str
    name: str
    service: str
    endpoints: tuple[Endpoint, ...]
    unready: tuple[Endpoint, ...] = ()
    """Those whose pod runs and isn't ready: nothing is sent there while there is a better place."""


def route_of(obj: Mapping[str, Any]) -> Route:
    """An AgentRoute object as a Route. Raises InvalidObjectError with what was expected and what was seen."""
    meta, spec = obj.get("metadata", {}), obj.get("spec", {})
    where = f"AgentRoute {meta.get('namespace')}/{meta.get('name')}"
    sticky = spec.get("sticky") or {}
    try:
        route = Route(
            namespace=meta["namespace"],
            agent=meta["name"],
            uid=str(meta.get("uid", "")),
            port=int(spec["port"]),
            offset=int(spec.get("offset", 0)) % FULL,
            arms=tuple(_arm(item, where) for item in spec["arms"]),
            header=sticky.get("header") or "",
            cookie=sticky.get("cookie") or "",
            cookie_ttl_seconds=int(spec.get("cookieTtlSeconds", 86_400)),
            group=spec.get("group") or "",
            epoch=int(spec.get("epoch", 0)),
            timeout_seconds=int(spec.get("timeoutSeconds", 300)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InvalidObjectError):
            raise
        raise InvalidObjectError(
            f"{where}: expected a complete spec; {type(error).__name__}: {error}"
        ) from error
    _check(route, where)
    return route


def _arm(item: Mapping[str, Any], where: str) -> Arm:
    arm = Arm(
        cohort=item["cohort"],
        version=item["version"],
        service=item["service"],
        share=int(item["share"]),
    )
    # These three end up in headers, where Envoy gives % a meaning.
    if arm.cohort not in COHORTS or not _VERSION.match(arm.version) or not _NAME.match(arm.service):
        raise InvalidObjectError(
            f"{where}: expected a cohort of {COHORTS}, a semver and a Service name; got {arm}"
        )
    if not 0 <= arm.share <= FULL:
        raise InvalidObjectError(f"{where}: expected a share of 0..{FULL} basis points; got {arm.share}")
    return arm


def _check(route: Route, where: str) -> None:
    total = sum(arm.share for arm in route.arms)
    if total != FULL:
        raise InvalidObjectError(f"{where}: the arms' shares must add up to {FULL}; got {total}")
    if not 1 <= route.port <= 65_535:
        raise InvalidObjectError(f"{where}: expected a port; got {route.port}")
    if any(name and not _TOKEN.match(name) for name in (route.header, route.cookie)):
        named = route.header or route.cookie
        raise InvalidObjectError(f"{where}: expected a header or cookie name; got {named!r}")
    if not _GROUP.match(route.group):
        raise InvalidObjectError(
            f"{where}: expected a group of letters, digits and '._-'; got {route.group!r}"
        )


def slice_of(obj: Mapping[str, Any]) -> Slice:
    """An EndpointSlice object as a Slice.

    A terminating endpoint that still serves may finish what it has, but gets nothing new. A ``ready`` that is
    absent means ready, as the API says. Raises InvalidObjectError.
    """
    meta = obj.get("metadata", {})
    try:
        service = meta["labels"][SERVICE_LABEL]
        port = _http_port(obj.get("ports") or ())
        usable = port is not None and obj.get("addressType") != "FQDN"
        found = tuple(_staying(obj, port)) if usable and port is not None else ()
        ready = {endpoint for endpoint, is_ready in found if is_ready}
        return Slice(
            namespace=meta["namespace"],
            name=meta["name"],
            service=service,
            endpoints=tuple(sorted(ready)),
            unready=tuple(sorted({endpoint for endpoint, _ in found} - ready)),
        )
    except (KeyError, TypeError, ValueError) as error:
        name = f"{meta.get('namespace')}/{meta.get('name')}"
        raise InvalidObjectError(
            f"EndpointSlice {name}: expected a Service's endpoints; {error!r}"
        ) from error


def _http_port(ports: Any) -> int | None:
    numbered = [item for item in ports if item.get("port")]
    named = [item for item in numbered if item.get("name") == "http"]
    return int((named or numbered)[0]["port"]) if numbered else None


def _staying(obj: Mapping[str, Any], port: int) -> Iterator[tuple[Endpoint, bool]]:
    """Endpoints that don't end, and whether each is ready."""
    for endpoint in obj.get("endpoints") or ():
        conditions = endpoint.get("conditions") or {}
        if conditions.get("terminating"):
            continue
        for address in endpoint.get("addresses") or ():
            yield Endpoint(address, port), conditions.get("ready") is not False
