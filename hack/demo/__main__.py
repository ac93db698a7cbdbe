"""``python -m hack.demo``: the story on a cluster that is up and has the chart; exits 1 if anything it promises isn't so."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from hack.demo import install, manifests, screen, story
from hack.demo.kubectl import Kubectl, KubectlError, Watch

CHAPTERS = (story.first_version, story.better_version, story.worse_version, story.crashing_version)


def main() -> int:
    """Tell the story."""
    options = _options()
    console = Console()
    kubectl = Kubectl(options.kubectl, options.kubeconfig, options.namespace)
    try:
        install.chart(console, kubectl, options.helm)
        install.namespace(kubectl)
    except (KubectlError, install.InstallError) as error:
        console.print(f"[bold red]The chart could not be installed:[/] {error}")
        return 1
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
        return 1
    finally:
        watch.stop()
    console.print(screen.result_table(facts))
    console.print(f"[dim]{time.monotonic() - began:.0f} s[/]")
    if options.keep:
        invite(console, options)
    else:
        kubectl.run("delete", "namespace", options.namespace, "--wait=false")
    return 0 if all(fact.holds for fact in facts) else 1


def invite(console: Console, options: argparse.Namespace) -> None:
    """What to try on a cluster that was kept."""
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
