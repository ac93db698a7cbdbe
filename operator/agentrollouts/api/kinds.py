"""The kinds by name: what the CRD generator, the client and the watches agree on."""

from __future__ import annotations

from dataclasses import dataclass

from agentrollouts.api.agentroute import AgentRouteSpec
from agentrollouts.api.agentversion import AgentVersionSpec, AgentVersionStatus
from agentrollouts.api.approvalgate import ApprovalGateSpec, ApprovalGateStatus
from agentrollouts.api.base import Rule, SpecModel, StatusModel
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column."""

    name: str
    type: str
    path: str
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One custom resource."""

    kind: str
    plural: str
    short: str
    spec: type[SpecModel]
    status: type[StatusModel] | None = None
    description: str = ""
    columns: tuple[Column, ...] = ()
    scale: tuple[str, str, str] | None = None
    object_rules: tuple[Rule, ...] = ()
    selectable: tuple[str, ...] = ()


_AGE = Column("Age", "date", ".metadata.creationTimestamp")
_READY = Column("Ready", "string", ".status.conditions[?(@.type=='Ready')].status")


def _arm(cohort: str, member: str) -> str:
    # A column shows the first match only, so a path over all arms would hide all but one.
    return f".spec.arms[?(@.cohort=='{cohort}')].{member}"


AGENT_VERSION = Kind(
    kind="AgentVersion",
    plural="agentversions",
    short="av",
    spec=AgentVersionSpec,
    status=AgentVersionStatus,
    description="One immutable release of one agent: code, model, prompts, tools and data, and the pods that run it.",
    columns=(
        Column("Agent", "string", ".spec.agent"),
        Column("Version", "string", ".spec.version"),
        Column("Phase", "string", ".status.phase"),
        Column("Share", "integer", ".status.share", description="Basis points of the agent's traffic."),
        Column("Health", "string", ".status.health"),
        _READY,
        Column("Digest", "string", ".status.artifactDigest", priority=1),
        _AGE,
    ),
    scale=(".spec.replicas", ".status.replicas", ".status.selector"),
    object_rules=(
        Rule(
            "self.metadata.name == self.spec.agent + '-' + self.spec.version",
            "metadata.name must be <spec.agent>-<spec.version>, such as support-1.2.0, so that a version exists only once",
        ),
        Rule(
            "self.spec.agent == oldSelf.spec.agent && self.spec.version == oldSelf.spec.version"
            " && self.spec.release == oldSelf.spec.release && self.spec.lineage == oldSelf.spec.lineage"
            " && has(self.spec.template) == has(oldSelf.spec.template)"
            " && (!has(self.spec.template) || self.spec.template == oldSelf.spec.template)"
            " && has(self.spec.deploymentRef) == has(oldSelf.spec.deploymentRef)"
            " && (!has(self.spec.deploymentRef) || self.spec.deploymentRef == oldSelf.spec.deploymentRef)",
            "an AgentVersion is immutable but for spec.replicas; make a new AgentVersion with a new spec.version",
        ),
    ),
    selectable=(".spec.agent", ".status.phase"),
)
ROLLOUT = Kind(
    kind="Rollout",
    plural="rollouts",
    short="aro",
    spec=RolloutSpec,
    status=RolloutStatus,
    description="How an agent's versions earn their traffic. Change spec.version and a rollout begins.",
    columns=(
        Column("Phase", "string", ".status.phase"),
        Column("Stable", "string", ".status.stable.version"),
        Column("Candidate", "string", ".status.candidate.version"),
        Column(
            "Share",
            "integer",
            ".status.candidate.share",
            description="The candidate's share in basis points.",
        ),
        Column("Step", "integer", ".status.candidate.step"),
        _READY,
        Column("Message", "string", ".status.message", priority=1),
        _AGE,
    ),
    object_rules=(
        Rule(
            "self.metadata.name == self.spec.agent",
            "metadata.name must equal spec.agent: an agent has one Rollout",
        ),
        Rule(
            "self.spec.agent == oldSelf.spec.agent",
            "spec.agent never changes; make a Rollout for the other agent",
        ),
    ),
    selectable=(".status.phase",),
)
APPROVAL_GATE = Kind(
    kind="ApprovalGate",
    plural="approvalgates",
    short="agate",
    spec=ApprovalGateSpec,
    status=ApprovalGateStatus,
    description="The question put to a person before a candidate reaches a share that needs approval."
    " Open it with: kubectl annotate approvalgate NAME agentrollouts.io/approve=true",
    columns=(
        Column("Agent", "string", ".spec.agent"),
        Column("Version", "string", ".spec.version"),
        Column("Stable", "string", ".spec.stable"),
        Column("Share", "string", ".spec.share"),
        Column("Phase", "string", ".status.phase"),
        Column("Approver", "string", ".status.approvals[0].approver", description="Who approved first."),
        Column("Quorum", "integer", ".spec.quorum", priority=1, description="How many people must approve."),
        _AGE,
    ),
    selectable=(".spec.agent", ".status.phase"),
)
AGENT_ROUTE = Kind(
    kind="AgentRoute",
    plural="agentroutes",
    short="aroute",
    spec=AgentRouteSpec,
    description="The shares as the router serves them. Written by the operator; change the Rollout instead.",
    columns=(
        Column("Port", "integer", ".spec.port"),
        Column("Stable", "string", _arm("stable", "version")),
        Column("Candidate", "string", _arm("candidate", "version")),
        Column(
            "Share",
            "integer",
            _arm("candidate", "share"),
            description="The candidate's share in basis points.",
        ),
        Column("Reason", "string", ".spec.intent.reason"),
        _AGE,
    ),
)
KINDS = (AGENT_VERSION, ROLLOUT, APPROVAL_GATE, AGENT_ROUTE)
