"""Whom a Job before traffic proves something about."""

from __future__ import annotations

from dataclasses import dataclass

from agentrollouts.core.manifests import AGENT, MANAGED_BY, ROLLOUT_LABEL, Named
from agentrollouts.core.snapshot import VersionView

PROOF = "agentrollouts.io/proof"
"""Label: the entry's name in spec.beforeTraffic."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Who proves something to whom: the Rollout, its candidate in this attempt, and the version that serves."""

    of: Named
    agent: str
    candidate: VersionView
    digest: str
    attempt: int
    stable: VersionView | None
    ledger_url: str = ""
    """The operator's own task ledger; empty without one."""


def labels_of(subject: Subject, entry: str, component: str) -> dict[str, str]:
    """Labels of a Job's pods.

    NB: the same one as an agent's pods, so that the one watch of pods sees these, too. Without a version they are nobody's, and no
    Service of a version finds them.
    """
    return {
        "app.kubernetes.io/part-of": "agent-rollouts",
        "app.kubernetes.io/component": component,
        AGENT: subject.agent,
        ROLLOUT_LABEL: subject.of.name,
        PROOF: entry,
        **MANAGED_BY,
    }
