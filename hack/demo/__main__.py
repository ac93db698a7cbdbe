"""``python -m hack.demo``: one agent, four versions; exits 1 if anything it promises isn't so."""

from __future__ import annotations

import sys

from rich.console import Console

from hack.demo import install, manifests, story
from hack.demo.kubectl import Kubectl
from hack.demo.play import Play, perform


def put(console: Console, kubectl: Kubectl, helm: str) -> None:
    """The chart, and an empty namespace."""
    install.chart(console, kubectl, helm)
    install.namespace(kubectl)


DEMO = Play(
    target="demo",
    namespace="agent-rollouts-demo",
    install=put,
    stage=lambda kubectl, console: story.Stage(kubectl, console, install.PROMETHEUS),
    chapters=(story.first_version, story.better_version, story.worse_version, story.crashing_version),
    reckoning=story.reckoning,
    invitations=(
        "get aro,av,agate,aroute",
        f"describe rollout {manifests.AGENT}",
        f'annotate rollout {manifests.AGENT} --overwrite agentrollouts.io/retry="$(date +%s)"',
        f'annotate rollout {manifests.AGENT} --overwrite agentrollouts.io/undo="$(date +%s)"',
        "explain rollout.spec.strategy",
    ),
)

if __name__ == "__main__":
    sys.exit(perform(DEMO))
