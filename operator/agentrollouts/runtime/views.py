"""Objects of the cluster as the operator keeps them: parsed once, frozen, and small.

An object that can't be parsed is kept with the reason in ``problem``, so that it is reported on the object itself instead
of failing wherever it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from agentrollouts.api.agentroute import AgentRouteSpec
from agentrollouts.api.agentversion import AgentVersionSpec, AgentVersionStatus
from agentrollouts.api.approvalgate import ApprovalGateSpec, ApprovalGateStatus
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.snapshot import GateView, Requests
from agentrollouts.release.digest import digest_of, parts_of

Raw = Mapping[str, Any]
Model = TypeVar("Model", bound=BaseModel)
PREFIX = "agentrollouts.io/"
ANSWERS = tuple(PREFIX + word for word in ("approve", "approved-by", "reject", "rejected-by"))
TOKENS = ("abort", "retry", "undo", "resume")


class Place(NamedTuple):
    """Where an object is."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Meta:
    """What every object has."""

    place: Place
    uid: str
    resource_version: str
    generation: int = 0
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class RolloutObject:
    """A Rollout. ``spec`` is None when it can't be parsed, and ``problem`` says why."""

    meta: Meta
    spec: RolloutSpec | None
    status: RolloutStatus
    requests: Requests
    problem: str = ""
    lost: str = ""
    """Why the status can't be read. Then nothing may be written over it."""


@dataclass(frozen=True, slots=True)
class VersionObject:
    """An AgentVersion, with its digest worked out."""

    meta: Meta
    spec: AgentVersionSpec | None
    status: AgentVersionStatus
    digest: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    agent: str = ""
    version: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class GateObject:
    """An ApprovalGate, as the core sees it; None when it can't be parsed."""

    meta: Meta
    view: GateView | None
    agent: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RouteObject:
    """An AgentRoute. Its port is kept even where the rest can't be parsed: it is taken all the same."""

    meta: Meta
    spec: AgentRouteSpec | None
    port: int = 0
    problem: str = ""
    unconfirmed: bool = False
    """We wrote this spec, and haven't heard of its resource version yet; ``meta`` is of the one before."""


def meta_of(raw: Raw) -> Meta:
    """Name and versions; KeyError on what is no object at all."""
    meta = raw["metadata"]
    return Meta(
        place=Place(meta.get("namespace", ""), meta["name"]),
        uid=meta.get("uid", ""),
        resource_version=str(meta.get("resourceVersion", "")),
        generation=int(meta.get("generation") or 0),
        deleting="deletionTimestamp" in meta,
    )


def rollout(raw: Raw, before: RolloutObject | None = None) -> RolloutObject:
    """A Rollout. The spec of the same generation is not parsed again."""
    meta = meta_of(raw)
    notes = raw["metadata"].get("annotations") or {}
    requests = Requests(
        **{word: str(notes.get(PREFIX + word, ""))[:256] for word in TOKENS},
        paused=str(notes.get(f"{PREFIX}paused", "")).lower() == "true",
        requested_by=str(notes.get(f"{PREFIX}requested-by", "")),
    )
    known = before is not None and before.meta.uid == meta.uid and before.meta.generation == meta.generation
    if known and meta.generation:
        assert before is not None
        spec, problem = before.spec, before.problem
    else:
        spec, problem = _parsed(RolloutSpec, raw.get("spec"), "spec")
    status, lost = _parsed(RolloutStatus, raw.get("status") or {}, "status")
    return RolloutObject(meta, spec, status or RolloutStatus(), requests, problem, lost)


def version(raw: Raw, before: VersionObject | None = None) -> VersionObject:
    """An AgentVersion."""
    meta = meta_of(raw)
    status, lost = _parsed(AgentVersionStatus, raw.get("status") or {}, "status")
    status = status or AgentVersionStatus()
    known = before is not None and before.meta.uid == meta.uid and before.meta.generation == meta.generation
    if known and meta.generation and before is not None and before.spec is not None:
        return VersionObject(
            meta, before.spec, status, before.digest, before.parts, before.agent, before.version, lost
        )
    spec, problem = _parsed(AgentVersionSpec, raw.get("spec"), "spec")
    body = raw.get("spec") or {}
    if spec is None:
        return VersionObject(
            meta,
            None,
            status,
            agent=str(body.get("agent", "")),
            version=str(body.get("version", "")),
            problem=problem,
        )
    return VersionObject(
        meta, spec, status, digest_of(spec.release), parts_of(spec.release), spec.agent, spec.version, lost
    )


def gate(raw: Raw, before: GateObject | None = None) -> GateObject:
    """An ApprovalGate with its annotations read apart: ``approved-by`` has one user name a line."""
    meta = meta_of(raw)
    notes = raw["metadata"].get("annotations") or {}
    spec, problem = _parsed(ApprovalGateSpec, raw.get("spec"), "spec")
    status, lost = _parsed(ApprovalGateStatus, raw.get("status") or {}, "status")
    agent = str((raw.get("spec") or {}).get("agent", ""))
    if spec is None:
        return GateObject(meta, None, agent, problem)
    approve, approved_by, reject, rejected_by = (str(notes.get(key, "")) for key in ANSWERS)
    view = GateView(
        name=meta.place.name,
        spec=spec,
        status=status or ApprovalGateStatus(),
        approve=approve,
        approved_by=tuple(line.strip() for line in approved_by.split("\n") if line.strip()),
        reject=reject,
        rejected_by=rejected_by,
    )
    return GateObject(meta, view, agent, lost)


def route(raw: Raw, before: RouteObject | None = None) -> RouteObject:
    """An AgentRoute."""
    meta = meta_of(raw)
    spec, problem = _parsed(AgentRouteSpec, raw.get("spec"), "spec")
    port = (raw.get("spec") or {}).get("port")
    return RouteObject(meta, spec, port if isinstance(port, int) else 0, problem)


def _parsed(model: type[Model], body: object, what: str) -> tuple[Model | None, str]:
    try:
        return model.model_validate(body), ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join((what, *map(str, first["loc"])))
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        return None, f"{where}: {first['msg']}{more}; change it to what kubectl explain says"
