"""Names, folders and addresses of the native cluster: all its own, so that all of it can be found again."""

from dataclasses import dataclass
from pathlib import Path

from hack.cluster.settings import Settings

NODE_NAME = "agent-rollouts"
MARK = "AGENT_ROLLOUTS_NATIVE"
"""Every process of the cluster carries this variable; tear-down finds by it what no pid file knows of."""

BRIDGE = "arollouts0"
NODE_ADDRESS = "10.200.0.1"
NODE_PREFIX = 24
POD_RANGE = "10.201.0.0/16"
SERVICE_RANGE = "10.202.0.0/16"
DNS_ADDRESS = "10.202.0.10"
KUBERNETES_ADDRESS = "10.202.0.1"
DNS_PORT = 10053
DNS_READY_PORT = 10054
API_PORT = 6443
CNI_NETWORK = "agent-rollouts"
NFT_TABLE = "agent-rollouts"
CGROUP = "agent-rollouts"
PAUSE_IMAGE = "localhost/pause:3"
CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True)
class Layout:
    """Folders of the one native cluster a machine can have.

    `run` and `data` are machine-wide, since bridge, addresses and nft tables are too: any checkout finds
    there what another one left. They also keep socket paths short (a Unix socket's path has at most 107
    bytes). `work` belongs to the checkout.
    """

    work: Path
    run: Path = Path("/run/agent-rollouts")
    data: Path = Path("/var/lib/agent-rollouts")

    @property
    def pids(self) -> Path:
        """One record per process; below /run, so that a reboot empties it."""
        return self.run / "pids"

    @property
    def owner(self) -> Path:
        """Says which checkout's cluster this is."""
        return self.data / "owner"

    @property
    def before(self) -> Path:
        """What the machine's network was like before, for tear-down to put back."""
        return self.data / "before.json"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.work / "logs"

    @property
    def pki(self) -> Path:
        """Certificates and keys made by kubeadm."""
        return self.work / "pki"

    @property
    def config(self) -> Path:
        """Configuration files and the components' kubeconfigs."""
        return self.work / "config"

    @property
    def containerd_socket(self) -> Path:
        """Where this cluster's containerd listens."""
        return self.run / "containerd.sock"


def layout_of(settings: Settings) -> Layout:
    """The layout as seen from this checkout."""
    return Layout(work=settings.state / "native")
