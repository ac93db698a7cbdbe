"""What a version is to its agent right now, and so how many pods it should have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import assert_never

from agentrollouts.api.agentroute import AgentRouteSpec
from agentrollouts.api.agentversion import VersionPhase
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus


class Role(Enum):
    """What a version is to its agent."""

    STABLE = "stable"
    CANDIDATE = "candidate"
    MANUAL = "in shares set by hand"
    ROUTED = "still on the route"
    PREVIOUS = "previous, warm for an undo"
    DRAINING = "taken out, finishing its requests"
    WANTED = "named by spec.version"
    UNUSED = "not in use"
    UNKNOWN = "unknown: there is no Rollout to ask"


@dataclass(frozen=True, slots=True)
class RolloutFacts:
    """What a version needs to know about the Rollout of its agent, and the route as it is."""

    spec: RolloutSpec
    status: RolloutStatus
    route: AgentRouteSpec | None = None
    retry_asked: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """A version's role, and until when it lasts by itself."""

    role: Role
    until: datetime | None = None
    withheld: bool = False
    """Whether no pod may start whatever the role, because nobody vouches for the version."""

    @property
    def runs(self) -> bool | None:
        """Whether it should have all its pods; None to leave them as they are."""
        if self.role is Role.UNKNOWN:
            return None
        return self.role is not Role.UNUSED and not self.withheld


def standing(version: str, digest: str, rollout: RolloutFacts | None, now: datetime) -> Standing:
    """The first role that fits. What serves comes first: nothing may ever take the pods of a version with traffic."""
    if rollout is None:
        return Standing(Role.UNKNOWN)
    status = rollout.status
    if status.stable is not None and status.stable.version == version:
        return Standing(Role.STABLE)
    if status.candidate is not None and status.candidate.version == version:
        return Standing(Role.CANDIDATE)
    manual = rollout.spec.strategy.manual
    if manual is not None and any(item.version == version and item.share for item in manual.shares):
        return Standing(Role.MANUAL)
    rejected = status.rejected
    out = rejected is not None and (rejected.version, rejected.digest) == (version, digest)
    if rollout.route is not None and any(arm.version == version and arm.share for arm in rollout.route.arms):
        return Standing(Role.ROUTED)
    if (
        status.previous is not None
        and status.previous.version == version
        and now < status.previous.warm_until
    ):
        return Standing(Role.PREVIOUS, status.previous.warm_until)
    if rejected is not None and rejected.version == version and now < rejected.drain_until:
        return Standing(Role.DRAINING, rejected.drain_until)
    if rollout.spec.version == version and (not out or rollout.retry_asked):
        return Standing(Role.WANTED)
    return Standing(Role.UNUSED)


def phase_of(found: Standing, before: VersionPhase, *, known: bool) -> VersionPhase:
    """The one-word phase. ``known``: the Rollout's history has seen this version in use."""
    match found.role:
        case Role.STABLE:
            return "Stable"
        case Role.CANDIDATE | Role.MANUAL | Role.ROUTED:
            return "Candidate"
        case Role.PREVIOUS | Role.DRAINING:
            return "Retired"
        case Role.WANTED:
            return "Retired" if known else "Draft"
        case Role.UNUSED:
            return "Retired" if known or before != "Draft" else "Draft"
        case Role.UNKNOWN:
            return before
        case _:
            assert_never(found.role)


def seen_in(status: RolloutStatus, version: str) -> bool:
    """Whether the Rollout remembers the version having been in use."""
    past = (status.previous, status.rejected, *status.history)
    return any(item is not None and item.version == version for item in past)
