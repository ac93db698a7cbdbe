"""Everything one tick may know, frozen: a decision can be replayed, simulated and explained from this alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agentrollouts.api.agentroute import AgentRouteSpec
from agentrollouts.api.agentversion import AgentVersionSpec, Lineage, Release
from agentrollouts.api.approvalgate import ApprovalGateSpec, ApprovalGateStatus
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.evidence import Evidence, Unavailable
from agentrollouts.core.opinion import Answer
from agentrollouts.core.proof_run import ProofRun
from agentrollouts.core.texts import Pair, Shown
from agentrollouts.core.unstarted import Unstarted, why_not_started
from agentrollouts.core.verification import Statements


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a version's pods say they loaded. A pod that says nothing counts on neither side."""

    same: bool = False
    """Whether a pod loaded the artifact it was promised."""
    other: tuple[tuple[str, str], ...] = ()
    """The pods that loaded another one, each with its digest, by name."""

    @property
    def mismatch(self) -> str:
        """The first that differs, in a sentence; empty where none does."""
        if not self.other:
            return ""
        pod, digest = self.other[0]
        more = f", and {len(self.other) - 1} more pods differ" if len(self.other) > 1 else ""
        return f"pod {pod} loaded {digest}{more}"


@dataclass(frozen=True, slots=True)
class Workload:
    """The pods of a version as the cluster reports them."""

    desired: int
    ready: int
    restarts: int = 0
    """The most restarts of any one container among the version's living pods."""
    last_restart: datetime | None = None
    """When a container last began again, if one did; and its pod was ready again, once it is."""
    trouble: str = ""
    """Why pods don't start, in the kubelet's words; empty when nothing is wrong."""
    unready_since: datetime | None = None
    """When the last ready pod was lost, if none is ready."""
    loaded: Loaded = field(default_factory=Loaded)
    unstarted: Unstarted | None = None
    """A pod that waits on its node, if one does."""

    def why(self, now: datetime) -> str:
        """Why pods don't start, as far as that can be told by now."""
        return why_not_started(self.trouble, self.unstarted, now)


@dataclass(frozen=True, slots=True)
class VersionView:
    """An AgentVersion and its pods. ``digest`` is over the five parts of its release."""

    version: str
    digest: str
    replicas: int
    service: str
    workload: Workload | None = None
    lineage: Lineage = field(default_factory=Lineage)
    parts: Mapping[str, str] = field(default_factory=dict)
    """Part name to digest, for the diff a gate shows."""
    release: Release | None = None
    """What its AgentVersion says of the five parts."""
    vouched: Statements = ()
    """What signed statements about it hold, as far as the Rollout's keys say."""
    spec: AgentVersionSpec | None = None
    """All that its AgentVersion says, for pods that are made beside those that serve."""
    owned: bool = True
    """Whether the operator scales its pods; false where the user gave a deploymentRef."""
    problem: str = ""
    """Why this version can't be used at all, such as a semver reused for another digest."""

    @property
    def ready(self) -> bool:
        """Whether the version can take the traffic of an agent: at least one pod, and all that were asked for."""
        pods = self.workload
        return pods is not None and pods.desired > 0 and pods.ready >= pods.desired


@dataclass(frozen=True, slots=True)
class GateView:
    """An ApprovalGate with its annotations already read apart."""

    name: str
    spec: ApprovalGateSpec
    status: ApprovalGateStatus
    approve: str = ""
    """Value of the approve annotation, empty if there is none."""
    approved_by: tuple[str, ...] = ()
    reject: str = ""
    rejected_by: str = ""


@dataclass(frozen=True, slots=True)
class RouteView:
    """The AgentRoute as it is: the truth about traffic."""

    spec: AgentRouteSpec
    resource_version: str


@dataclass(frozen=True, slots=True)
class Requests:
    """What people ask for by annotation. Each value of abort, retry, undo and resume acts once."""

    abort: str = ""
    retry: str = ""
    undo: str = ""
    resume: str = ""
    paused: bool = False
    requested_by: str = ""


def asked(token: str, handled: str) -> bool:
    """Whether a request annotation holds a value that wasn't acted on yet."""
    return bool(token) and token != handled


@dataclass(frozen=True, slots=True)
class Identity:
    """Which Rollout this is."""

    namespace: str
    name: str
    uid: str
    generation: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts about the operator itself that a decision depends on."""

    epoch: int = 0
    """Lease transitions: fences an old leader's late writes."""
    free_port: int = 10_000
    """A listener port nobody uses, for a route that has none yet."""
    policy_installed: bool = True
    """Whether the API server vouches for approvers' names."""
    require_policy: bool = True
    router_namespace: str = "agent-rollouts"
    ledger: bool = False
    """Whether there is a task ledger to keep the evidence of rollbacks."""
    ledger_url: str = ""
    """Its address; empty without one."""
    job_image: str = ""
    """The image of Jobs that name none."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One rollout at one moment."""

    identity: Identity
    spec: RolloutSpec
    status: RolloutStatus
    versions: Mapping[str, VersionView]
    """By semver; only versions of this agent."""
    route: RouteView | None
    evidence: Evidence | Unavailable
    now: datetime
    gate: GateView | None = None
    """The gate of the present candidate and attempt."""
    requests: Requests = field(default_factory=Requests)
    jobs: Mapping[str, ProofRun] = field(default_factory=dict)
    """By name, the Jobs of this Rollout that prove or proved something, whichever candidate's."""
    answer: Answer | None = None
    """The advisor's newest answer to this operator; ``status`` may hold it already, or an older one."""
    behavior: Evidence | Unavailable | None = None
    """What the stable version did lately; None where it isn't watched, or hasn't been read yet."""
    unreported: bool = False
    """Whether ``status`` holds a decision of the route's that was never written into the Rollout's own."""
    delivered: frozenset[str] = frozenset()
    """Notices that every notifier has got or has been given up for; ``status`` may have them pending still."""
    kept: frozenset[int] = frozenset()
    """Attempts whose evidence the ledger has, or has refused for good; ``status`` may have it pending still."""
    texts: Mapping[Pair, Shown | None] = field(default_factory=dict)
    """In what prompts and tools of two releases differ; None while that is being read for the first time."""
    surroundings: Surroundings = field(default_factory=Surroundings)

    def named(self, version: str, digest: str) -> VersionView | None:
        """The version as it is, if it still is the one with that digest."""
        view = self.versions.get(version)
        return view if view is not None and view.digest == digest else None

    @property
    def wanted(self) -> VersionView | None:
        """The version the spec asks for."""
        return self.versions.get(self.spec.version)

    @property
    def candidate(self) -> VersionView | None:
        """The version on its way, if it still exists."""
        return self.versions.get(self.status.candidate.version) if self.status.candidate else None

    @property
    def stable(self) -> VersionView | None:
        """The version that serves, if it still exists."""
        return self.versions.get(self.status.stable.version) if self.status.stable else None

    @property
    def is_resumed(self) -> bool:
        """Whether a person has just resumed."""
        return asked(self.requests.resume, self.status.handled.resume)
