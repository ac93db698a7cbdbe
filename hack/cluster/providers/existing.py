"""A cluster the user has: used only when asked for, never changed beyond what the chart installs.

How an image gets to its nodes depends on what kind of cluster it is. The usual local ones are recognised by the
name of their context; for any other the user says the command, LOAD_IMAGE, to which the archive's path is added.
"""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from hack.cluster import clients, packages, tools
from hack.cluster.commands import run_logged
from hack.cluster.errors import ClusterError
from hack.cluster.images.engines import Buildah, Builder, Engine
from hack.cluster.packages import Package
from hack.cluster.progress import Step
from hack.cluster.providers.native import Native
from hack.cluster.providers.probe import probe
from hack.cluster.providers.provider import Health
from hack.cluster.settings import CLUSTER_NAME, Settings, child_environment

_LOADERS: Mapping[str, Callable[[str], list[str]]] = {
    "kind-": lambda name: ["kind", "load", "image-archive", "--name", name],
    "k3d-": lambda name: ["k3d", "image", "import", "--cluster", name],
    "minikube": lambda _: ["minikube", "image", "load"],
}
_SHARED = ("docker-desktop", "rancher-desktop", "orbstack")
"""Clusters that run on the engine's own images: what is built is there."""


def load_command(context: str, archive: Path, *, asked: str) -> list[str] | None:
    """The command that carries an archive to the nodes; empty where none is needed, None where nobody knows."""
    if asked:
        return [*shlex.split(asked), str(archive)]
    if context in _SHARED:
        return []
    for prefix, command in _LOADERS.items():
        if context.startswith(prefix):
            return [*command(context.removeprefix(prefix)), str(archive)]
    return None


class Existing:
    """The cluster KUBECONFIG names."""

    name = "existing"

    def __init__(self, settings: Settings, *, engine: str | None) -> None:
        if not settings.user_kubeconfig:
            raise ClusterError(
                "CLUSTER=existing uses your cluster: name its file too, KUBECONFIG=/path/to/kubeconfig."
            )
        self._settings = settings
        self._engine = engine

    def kubeconfig(self) -> Path:
        """The user's file, read and never written."""
        return Path(self._settings.user_kubeconfig).expanduser()

    def missing_packages(self) -> Sequence[Package]:
        """None: nothing is installed for a cluster that exists."""
        return ()

    def image_packages(self) -> Sequence[Package]:
        """What builds images here, where no engine does."""
        return () if self._engine else packages.absent(packages.BUILDER)

    def up_steps(self) -> list[Step]:
        """Nothing to make; only see that it answers."""

        def action(log: Path) -> None:
            health = self.health()
            lines = [f"{key}: {value}" for key, value in health.facts.items()]
            log.write_text("\n".join(lines) + "\n", encoding="utf-8")
            if not health.ready:
                raise ClusterError("the existing cluster should be ready and is not")

        build = tools.build_steps(self._settings, clients.lacking(self._settings))
        return [*build, Step("ask the existing cluster", action)]

    def down_steps(self) -> list[Step]:
        """Nothing: what we did not make we do not remove."""
        return []

    def health(self) -> Health:
        """What the cluster says of itself."""
        return probe(
            self.name,
            kubectl=str(clients.client(self._settings, "kubectl")),
            kubeconfig=self.kubeconfig(),
            environment=child_environment(self._settings, {"KUBECONFIG": str(self.kubeconfig())}),
        )

    def builder(self) -> Builder:
        """The user's engine, else buildah."""
        return Engine(self._settings, self._engine) if self._engine else Buildah(self._settings)

    def load(self, archive: Path, log: Path) -> None:
        """Carry the archive to the nodes in the way this kind of cluster has."""
        context = self._context()
        asked = os.environ.get("LOAD_IMAGE", "")
        if context.endswith(f"@{CLUSTER_NAME}") and not asked:
            Native(self._settings).load(archive, log)
            return
        command = load_command(context, archive, asked=asked)
        if command is None:
            raise ClusterError(
                f"How images get to the nodes of `{context}` is not known here: set LOAD_IMAGE to the command that "
                f"does it (the path of an archive, as of `docker save`, is added to it); {archive} is the first."
            )
        if command:
            run_logged(command, log=log, environment=self._environment())

    def ctr(self) -> Sequence[str]:
        """None: the nodes are the user's."""
        return []

    def held_images(self) -> set[str]:
        """Nobody can be asked for all kinds of clusters, so none: images are loaded anew."""
        return set()

    def _environment(self) -> dict[str, str]:
        """Kind looks for docker first, also where that is a client without its engine; what the user set is kept."""
        kind = {"KIND_EXPERIMENTAL_PROVIDER": self._engine} if self._engine else {}
        return {**kind, **os.environ}

    def _context(self) -> str:
        content = yaml.safe_load(self.kubeconfig().read_text(encoding="utf-8"))
        return str(content.get("current-context", ""))
