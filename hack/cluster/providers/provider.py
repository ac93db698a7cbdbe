"""What every provider offers; the commands know no more of them than this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hack.cluster.images.engines import Builder
from hack.cluster.packages import Package
from hack.cluster.progress import Step


@dataclass(frozen=True, slots=True)
class Health:
    """What `status` prints: whether the cluster can be used, and the facts behind that."""

    ready: bool
    facts: Mapping[str, str]


class Provider(Protocol):
    """One way to a cluster."""

    name: str

    def kubeconfig(self) -> Path:
        """The kubeconfig through which this cluster is reached."""

    def missing_packages(self) -> Sequence[Package]:
        """System packages that `up_steps` would install, to be announced before."""

    def up_steps(self) -> list[Step]:
        """From whatever there is to a ready cluster."""

    def down_steps(self) -> list[Step]:
        """From whatever there is to nothing."""

    def health(self) -> Health:
        """How the cluster is now; never raises because there is none."""

    def builder(self) -> Builder:
        """What builds images for it."""

    def image_packages(self) -> Sequence[Package]:
        """System packages the builder needs and this machine lacks."""

    def load(self, archive: Path, log: Path) -> None:
        """Put an image's archive where the cluster's pods find it."""

    def ctr(self) -> Sequence[str]:
        """The command line of containerd's client on the node; empty where the node isn't ours."""

    def held_images(self) -> set[str]:
        """References of the project's images that the cluster holds now."""
