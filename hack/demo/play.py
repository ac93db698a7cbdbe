"""How a demo goes, whichever story it tells: a cluster, images, the chart, the chapters, the reckoning, and no trace.

Afterwards the machine, or the user's cluster, is as it was before; with KEEP=1, or where something went wrong, all stays.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from rich.console import Console

from hack.cluster.__main__ import main as cluster
from hack.demo import install, screen, story, traces
from hack.demo.kubectl import Kubectl, KubectlError, Watch
from hack.demo.measure import Fact

S = TypeVar("S", bound=story.Stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Play(Generic[S]):
    """One story. ``install`` puts the chart and an empty namespace there; ``invitations`` are kubectl lines for whoever keeps it."""

    target: str
    namespace: str
    install: Callable[[Console, Kubectl, str], None]
    stage: Callable[[Kubectl, Console], S]
    chapters: Sequence[Callable[[S], None]]
    reckoning: Callable[[S], Sequence[Fact]]
    invitations: Sequence[str]


def perform(play: Play[S]) -> int:
    """Make what is needed, tell the story, and leave no trace; 1 if anything it promises isn't so."""
    options = _options(play)
    console = Console()
    was_up = traces.cluster_is_up()
    if cluster(["up"]) or cluster(["images"]):
        return 1
    kubectl = Kubectl(options.kubectl, options.kubeconfig, options.namespace)
    try:
        found = traces.look(kubectl, options.helm, was_up=was_up)
        play.install(console, kubectl, options.helm)
    except (KubectlError, install.InstallError) as error:
        console.print(f"[bold red]The chart could not be installed:[/] {error}")
        return 1
    holds = tell(console, kubectl, play)
    if options.keep or not holds:
        invite(console, options, play)
        return 0 if holds else 1
    return 0 if cleaned(console, kubectl, options, found) else 1


def cleaned(console: Console, kubectl: Kubectl, options: argparse.Namespace, found: traces.Found) -> bool:
    """Whether everything the demo made is gone again; what is left is said."""
    try:
        return traces.remove(console, kubectl, options.helm, found, target=options.target)
    except (KubectlError, install.InstallError) as error:
        console.print(f"[bold red]The story held, but not all of the demo could be taken away:[/] {error}")
        console.print(
            f"Look at what is left in {kubectl.namespace} and {install.RELEASE}:"
            f" {options.kubectl} --kubeconfig {options.kubeconfig} get all -n {kubectl.namespace}",
            soft_wrap=True,
        )
        return False


def tell(console: Console, kubectl: Kubectl, play: Play[S]) -> bool:
    """The story; whether everything came as promised."""
    stage = play.stage(kubectl, console)
    watch = Watch(kubectl, "agentroutes", stage.saw_route)
    watch.start()
    began = time.monotonic()
    try:
        for chapter in play.chapters:
            chapter(stage)
        facts = play.reckoning(stage)
    except (story.StoryError, KubectlError) as error:
        console.print(f"[bold red]The demo failed:[/] {error}")
        return False
    finally:
        watch.stop()
    console.print(screen.result_table(facts))
    console.print(f"[dim]{time.monotonic() - began:.0f} s[/]")
    return all(fact.holds for fact in facts)


def invite(console: Console, options: argparse.Namespace, play: Play[S]) -> None:
    """What to look at on a cluster that was kept."""
    prefix = f"{options.kubectl} --kubeconfig {options.kubeconfig} -n {options.namespace}"
    console.print("The cluster stays. Try:", style="bold")
    for line in play.invitations:
        console.print(f"  {prefix} {line}", soft_wrap=True)
    console.print("  make cluster-down   when you are done")


def _options(play: Play[S]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"make {play.target}, on a running cluster.")
    parser.set_defaults(target=play.target)
    parser.add_argument("--kubectl", default="kubectl")
    parser.add_argument("--helm", default="helm")
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        default=os.environ.get("KUBECONFIG"),
        required="KUBECONFIG" not in os.environ,
    )
    parser.add_argument("--namespace", default=play.namespace)
    parser.add_argument("--keep", action="store_true", default=bool(os.environ.get("KEEP")))
    return parser.parse_args()
