"""The provider for Linux machines without a container engine: plain processes, root, programs built here."""

from collections.abc import Sequence
from pathlib import Path

from hack.cluster import packages, tools
from hack.cluster.commands import attempt, run_logged
from hack.cluster.errors import ClusterError
from hack.cluster.images.engines import Buildah, Builder
from hack.cluster.native import network, processes, teardown
from hack.cluster.native.bring_up import up_steps
from hack.cluster.native.commandlines import COMMAND_LINES
from hack.cluster.native.layout import MARK, layout_of
from hack.cluster.packages import Package
from hack.cluster.progress import Step
from hack.cluster.providers.probe import probe
from hack.cluster.providers.provider import Health
from hack.cluster.settings import Settings, child_environment


class Native:
    """The native cluster as seen from this checkout."""

    name = "native"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._layout = layout_of(settings)

    def kubeconfig(self) -> Path:
        """The project's own kubeconfig."""
        return self._settings.kubeconfig

    def missing_packages(self) -> Sequence[Package]:
        """What apt-get would install to run pods."""
        return packages.absent(packages.RUNTIME)

    def image_packages(self) -> Sequence[Package]:
        """What apt-get would install to build images."""
        return packages.absent(packages.BUILDER)

    def up_steps(self) -> list[Step]:
        """Nothing where the cluster is well; else clear what is left and start anew."""
        self._refuse_strangers()
        return [] if self.health().ready else up_steps(self._settings)

    def down_steps(self) -> list[Step]:
        """Take everything off the machine, also what another checkout started."""

        def action(log: Path) -> None:
            teardown.tear_down(self._layout, log=log)
            self._settings.kubeconfig.unlink(missing_ok=True)

        return [Step("stop the cluster and remove what it left", action)]

    def health(self) -> Health:
        """Ready means: the node is, and every program still runs."""
        if not tools.program_path(self._settings, "kubectl").exists():
            return Health(False, {"provider": self.name, "cluster": "none (`make cluster` makes one)"})
        found = probe(
            self.name,
            kubectl=str(tools.program_path(self._settings, "kubectl")),
            kubeconfig=self.kubeconfig(),
            environment=child_environment(self._settings),
        )
        ended = sorted(set(COMMAND_LINES) - set(processes.running(self._layout.pids)))
        if not self._layout.owner.exists() or not ended:
            return found
        return Health(
            False, {**found.facts, "not running": f"{', '.join(ended)} (logs: {self._layout.logs})"}
        )

    def builder(self) -> Builder:
        """buildah: there is no engine here."""
        return Buildah(self._settings)

    def load(self, archive: Path, log: Path) -> None:
        """Import into the cluster's containerd."""
        run_logged([*self.ctr(), "images", "import", str(archive)], log=log)

    def held_images(self) -> set[str]:
        """What containerd lists."""
        return set(attempt([*self.ctr(), "images", "list", "-q"]).stdout.split())

    def ctr(self) -> Sequence[str]:
        """The client built with the cluster's containerd."""
        ctr = str(tools.program_path(self._settings, "ctr"))
        return [ctr, f"--address={self._layout.containerd_socket}", "--namespace=k8s.io"]

    def _refuse_strangers(self) -> None:
        """Another checkout's running cluster, or somebody else's Kubernetes, is left alone, and said so."""
        if self._layout.owner.exists():
            owner = self._layout.owner.read_text(encoding="utf-8").strip()
            if owner != str(self._settings.repository) and processes.marked(MARK):
                raise ClusterError(
                    f"A machine can run one native cluster, and the checkout {owner} runs it. "
                    "`make cluster-down` (from any checkout) ends it; then run this again."
                )
        elif any(table in network.KUBE_PROXY_TABLES for table in network.existing_tables()):
            raise ClusterError(
                "Another Kubernetes runs on this machine (its kube-proxy tables are in `nft list tables`), "
                "and the native cluster would fight with it. Use it with CLUSTER=existing KUBECONFIG=…, "
                "or stop it."
            )
