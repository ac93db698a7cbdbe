"""``python -m hack.demo``: a cluster, images, the chart and the story; exits 1 if anything it promises isn't so.

Afterwards the machine, or the user's cluster, is as it was before; with KEEP=1, or where something went wrong, all stays.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from hack.cluster.__main__ import main as cluster
from hack.demo import install, manifests, screen, story, traces
from hack.demo.kubectl import Kubectl, KubectlError, Watch

CHAPTERS = (story.first_version, story.better_version, story.worse_version, story.crashing_version)


def main() -> int:
    """Make what is needed, tell the story, and leave no trace."""
    options = _options()
    console = Console()
    was_up = traces.cluster_is_up()
    if cluster(["up"]) or cluster(["images"]):
        return 1
    kubectl = Kubectl(options.kubectl, options.kubeconfig, options.namespace)
    try:
        found = traces.look(kubectl, options.helm, was_up=was_up)
        install.chart(console, kubectl, options.helm)
        install.namespace(kubectl)
    except (KubectlError, install.InstallError) as error:
        console.print(f"[bold red]The chart could not be installed:[/] {error}")
        return 1
    holds = tell(console, kubectl)
    if options.keep or not holds:
        invite(console, options)
        return 0 if holds else 1
    return 0 if cleaned(console, kubectl, options, found) else 1


def cleaned(console: Console, kubectl: Kubectl, options: argparse.Namespace, found: traces.Found) -> bool:
    """Whether everything the demo made is gone again; what is left is said."""
    try:
        return traces.remove(console, kubectl, options.helm, found)
    except (KubectlError, install.InstallError) as error:
        console.print(f"[bold red]The story held, but not all of the demo could be taken away:[/] {error}")
        console.print(
            f"Look at what is left in {kubectl.namespace} and {install.RELEASE}:"
            f" {options.kubectl} --kubeconfig {options.kubeconfig} get all -n {kubectl.namespace}",
            soft_wrap=True,
        )
        return False


def tell(console: Console, kubectl: Kubectl) -> bool:
    """The story; whether everything came as promised."""
    stage = story.Stage(kubectl, console, install.PROMETHEUS)
    watch = Watch(kubectl, "agentroutes", stage.saw_route)
    watch.start()
    began = time.monotonic()
    try:
        for chapter in CHAPTERS:
            chapter(stage)
        facts = story.reckoning(stage)
    except (story.StoryError, KubectlError) as error:
        console.print(f"[bold red]The demo failed:[/] {error}")
        return False
    finally:
        watch.stop()
    console.print(screen.result_table(facts))
    console.print(f"[dim]{time.monotonic() - began:.0f} s[/]")
    return all(fact.holds for fact in facts)


def invite(console: Console, options: argparse.Namespace) -> None:
    """What to look at on a cluster that was kept."""
    prefix = f"{options.kubectl} --kubeconfig {options.kubeconfig} -n {options.namespace}"
    console.print("The cluster stays. Try:", style="bold")
    for line in (
        "get aro,av,agate,aroute",
        f"describe rollout {manifests.AGENT}",
        f'annotate rollout {manifests.AGENT} --overwrite agentrollouts.io/retry="$(date +%s)"',
        f'annotate rollout {manifests.AGENT} --overwrite agentrollouts.io/undo="$(date +%s)"',
        "explain rollout.spec.strategy",
    ):
        console.print(f"  {prefix} {line}", soft_wrap=True)
    console.print("  make cluster-down   when you are done")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The demo on a running cluster.")
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--helm", default="helm")
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        default=os.environ.get("KUBECONFIG"),
        required="KUBECONFIG" not in os.environ,
    )
    parser.add_argument("--namespace", default="agent-rollouts-demo")
    parser.add_argument("--keep", action="store_true", default=bool(os.environ.get("KEEP")))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
