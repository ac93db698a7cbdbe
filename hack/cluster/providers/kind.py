"""The provider for machines with a container engine: kind, at the Kubernetes minor the native cluster has."""

from collections.abc import Sequence
from pathlib import Path

from hack.cluster import clients, tools
from hack.cluster.commands import attempt, output_of, run_logged
from hack.cluster.errors import ClusterError
from hack.cluster.images.engines import Builder, Engine
from hack.cluster.packages import Package
from hack.cluster.progress import Step
from hack.cluster.providers.probe import probe
from hack.cluster.providers.provider import Health
from hack.cluster.settings import CLUSTER_NAME, Settings, child_environment

READY = "120s"


class Kind:
    """A kind cluster of our own name; `engine` is docker or podman, whichever answered.

    `.state/kind` says that this checkout made, or began to make, the cluster, and with which engine.
    """

    name = "kind"

    def __init__(self, settings: Settings, *, engine: str) -> None:
        self._settings = settings
        self._mark = settings.state / "kind"
        # Another engine may have been started since the cluster was made.
        self._engine = self._mark.read_text(encoding="utf-8").strip() if self._mark.exists() else engine

    def kubeconfig(self) -> Path:
        """The project's own kubeconfig, which kind writes."""
        return self._settings.kubeconfig

    def missing_packages(self) -> Sequence[Package]:
        """None: the engine brings all."""
        return ()

    def image_packages(self) -> Sequence[Package]:
        """None: the engine builds."""
        return ()

    def up_steps(self) -> list[Step]:
        """First kind and kubectl where they are missing, then the cluster; a half-made one is removed first."""
        exists = self._exists()
        if exists and self.health().ready:
            return []
        if exists and not self._mark.exists():
            raise ClusterError(
                f"A kind cluster `{CLUSTER_NAME}` runs that this checkout did not make: most likely another "
                "checkout's. `make cluster-down` (from any checkout) ends it; then run this again."
            )
        lacking = clients.lacking(self._settings, ("kind", *clients.CLIENTS))
        clear = [Step("remove a half-made cluster", self._delete)] if exists else []
        return [
            *tools.build_steps(self._settings, lacking),
            *clear,
            Step("create the kind cluster", self._create),
        ]

    def down_steps(self) -> list[Step]:
        """Delete the cluster and the kubeconfig that named it."""
        if not self._exists():
            return []
        build = tools.build_steps(self._settings, clients.lacking(self._settings, ("kind",)))
        return [*build, Step("delete the kind cluster", self._delete)]

    def health(self) -> Health:
        """What the cluster says of itself."""
        return probe(
            self.name,
            kubectl=str(clients.client(self._settings, "kubectl")),
            kubeconfig=self.kubeconfig(),
            environment=self._environment(),
        )

    def builder(self) -> Builder:
        """The engine that runs the cluster."""
        return Engine(self._settings, self._engine)

    def load(self, archive: Path, log: Path) -> None:
        """The archive goes into the node through kind."""
        command = [self._kind(), "load", "image-archive", str(archive), "--name", CLUSTER_NAME]
        run_logged(command, log=log, environment=self._environment())

    def held_images(self) -> set[str]:
        """What the node's containerd lists."""
        return set(attempt([*self.ctr(), "images", "list", "-q"]).stdout.split())

    def ctr(self) -> Sequence[str]:
        """The client in the node's container."""
        return [self._engine, "exec", f"{CLUSTER_NAME}-control-plane", "ctr", "--namespace=k8s.io"]

    def create_command(self) -> list[str]:
        """`kind create cluster`, its kubeconfig kept away from the user's."""
        return [
            *(self._kind(), "create", "cluster", "--name", CLUSTER_NAME),
            *("--config", str(self._settings.repository / "kind-config.yaml")),
            *("--image", self._settings.kind_node_image),
            *("--kubeconfig", str(self.kubeconfig()), "--wait", READY),
        ]

    def _create(self, log: Path) -> None:
        self.kubeconfig().parent.mkdir(parents=True, exist_ok=True)
        self._mark.write_text(f"{self._engine}\n", encoding="utf-8")
        run_logged(self.create_command(), log=log, environment=self._environment())
        # Where the wait runs out, kind warns and ends with code 0.
        health = self.health()
        if not health.ready:
            seen = health.facts.get("nodes") or health.facts.get("cluster")
            raise ClusterError(f"the kind cluster should be ready after {READY} and is not: {seen}")

    def _delete(self, log: Path) -> None:
        command = [self._kind(), "delete", "cluster", "--name", CLUSTER_NAME]
        run_logged(
            [*command, "--kubeconfig", str(self.kubeconfig())], log=log, environment=self._environment()
        )
        self.kubeconfig().unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)

    def _exists(self) -> bool:
        """The engine is asked, not kind: it answers also where kind was removed from the cache since."""
        label = f"label=io.x-k8s.kind.cluster={CLUSTER_NAME}"
        command = [self._engine, "ps", "--all", "--quiet", "--filter", label]
        return bool(output_of(command, environment=self._environment()).strip())

    def _kind(self) -> str:
        return str(clients.client(self._settings, "kind"))

    def _environment(self) -> dict[str, str]:
        return child_environment(self._settings, {"KIND_EXPERIMENTAL_PROVIDER": self._engine})
