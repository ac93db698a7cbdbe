"""``python -m hack.learn``: three authors for one agent; exits 1 if anything it promises isn't so."""

from __future__ import annotations

import sys

from rich.console import Console

from agents.author.scripts import GOOD
from hack.demo import install, screen
from hack.demo.kubectl import Kubectl
from hack.demo.manifests import AGENT
from hack.demo.play import Play, perform
from hack.learn import manifests, story


def put(console: Console, kubectl: Kubectl, helm: str) -> None:
    """An empty namespace, for the improver's rights are in it, and the chart with ledger and improver."""
    install.namespace(kubectl)
    screen.say(
        console,
        "The chart, with the task ledger, a fifth of which the improver never sees, and the improver.",
    )
    install.chart(console, kubectl, helm, values=manifests.chart_values(kubectl.namespace, GOOD))


LEARN = Play(
    target="demo-learn",
    namespace="agent-rollouts-learn",
    install=put,
    stage=lambda kubectl, console: story.Lesson(kubectl, console, install.PROMETHEUS),
    chapters=(
        story.weak_version,
        story.refused_authors,
        story.proposed_version,
        story.worse_version,
        story.gaming_version,
    ),
    reckoning=story.reckoning,
    invitations=(
        "get aro,av,agate,aroute",
        f"get agentversion {AGENT}-{manifests.PROPOSED} -o jsonpath={{.spec.lineage}}",
        f"describe rollout {AGENT}",
        "get jobs",
    ),
)

if __name__ == "__main__":
    sys.exit(perform(LEARN))
