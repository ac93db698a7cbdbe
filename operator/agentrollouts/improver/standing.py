"""Whether a proposal may be made now, and of which version; and what became of one that is there already. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from agentrollouts.api.agentversion import AgentVersionSpec, AgentVersionStatus
from agentrollouts.api.proposals import ProposalsSpec
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.api.scalars import format_duration
from agentrollouts.core.again import BY_A_PERSON, TAKEN_OUT
from agentrollouts.core.roles import seen_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An AgentVersion as it stands. ``raw`` is the whole object."""

    spec: AgentVersionSpec
    status: AgentVersionStatus
    created: datetime
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent: its Rollout and all its versions. ``name`` is the Rollout's."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    spec: RolloutSpec
    status: RolloutStatus
    versions: tuple[Version, ...]

    @property
    def proposals(self) -> ProposalsSpec:
        """What the Rollout allows."""
        return self.spec.proposals

    def find(self, version: str) -> Version | None:
        """The version of this number."""
        return next((item for item in self.versions if item.spec.version == version), None)

    @property
    def written(self) -> Sequence[Version]:
        """What agents wrote, the newest first."""
        own = [item for item in self.versions if item.spec.lineage.author == "Agent"]
        return sorted(own, key=lambda item: item.created, reverse=True)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done now; ``reason`` in one CamelCase word."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Finish:
    """A proposal is there and not on its way: the run that made it may have ended before it could ask for it."""

    version: Version


@dataclass(frozen=True, slots=True)
class Revise:
    """A new proposal may be made of this version."""

    parent: Version


Standing = Wait | Finish | Revise


def standing(agent: Agent, now: datetime) -> Standing:
    """What to do, before anything is read or paid for."""
    status = agent.status
    if status.stable is None:
        return Wait("NothingServes", f"no version of {agent.name} serves yet")
    if found := _open(agent):
        return _about_open(agent, found)
    if status.candidate is not None or agent.spec.version != status.stable.version:
        return Wait("RolloutUnderWay", f"{agent.spec.version} is wanted, and {status.stable.version} serves")
    if wait := cooling(agent, now) or _too_soon(agent, now):
        return wait
    parent = agent.find(status.stable.version)
    if parent is None:
        return Wait("NothingServes", f"the AgentVersion of {status.stable.version} is gone")
    return Revise(parent)


def may_start(agent: Agent, now: datetime) -> Wait | None:
    """Why ``spec.version`` may not be changed to a proposal now; None when it may."""
    status = agent.status
    if not agent.proposals.auto_start:
        return Wait("Proposed", f"a person starts it: spec.proposals.autoStart of {agent.name} is false")
    if status.stable is None or status.candidate is not None or agent.spec.version != status.stable.version:
        return Wait(
            "RolloutUnderWay", f"{agent.spec.version} is wanted, and it doesn't serve all traffic yet"
        )
    return cooling(agent, now)


def cooling(agent: Agent, now: datetime) -> Wait | None:
    """The wait after a rollback of any version, be it a person's or an agent's."""
    ends = [
        entry.finished_at
        for entry in agent.status.history
        if entry.outcome in TAKEN_OUT and entry.outcome not in BY_A_PERSON
    ]
    rejected = agent.status.rejected
    if rejected is not None and rejected.reason not in BY_A_PERSON:
        ends.append(rejected.at)
    wait = agent.proposals.cool_down
    if not ends or now >= max(ends) + wait:
        return None
    return Wait(
        "CoolingDown",
        f"a version was rolled back at {max(ends):%Y-%m-%d %H:%M} UTC; the next proposal may come "
        f"{format_duration(wait)} after that",
    )


def _too_soon(agent: Agent, now: datetime) -> Wait | None:
    wait = agent.proposals.minimum_interval
    last = max((item.created for item in agent.written), default=None)
    if last is None or now >= last + wait:
        return None
    return Wait(
        "TooSoon",
        f"the last proposal was made at {last:%Y-%m-%d %H:%M} UTC; the next one may come {format_duration(wait)} later",
    )


def _open(agent: Agent) -> Version | None:
    """The proposal nobody has decided on: never in use, or on its way."""
    for item in agent.written:
        phase: Literal["Draft", "Candidate", "Stable", "Retired"] = item.status.phase
        unused = phase == "Draft" and not seen_in(agent.status, item.spec.version)
        if phase == "Candidate" or unused:
            return item
    return None


def _about_open(agent: Agent, found: Version) -> Standing:
    candidate, version = agent.status.candidate, found.spec.version
    if (candidate is not None and candidate.version == version) or agent.spec.version == version:
        return Wait(
            "ProposalOpen", f"{version} is on its way; the next proposal may come when that is decided"
        )
    if agent.proposals.auto_start:
        return Finish(found)
    return Wait(
        "ProposalOpen",
        f"{version} waits for a person: set spec.version of {agent.name} to it, or delete AgentVersion "
        f"{found.spec.agent}-{version}",
    )
