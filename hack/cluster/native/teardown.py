"""Taking the native cluster off the machine, however it got there and however much of it is left.

The same work clears a cut-off run before a new start. Order matters: first whoever would start things anew,
then the containers, then the runtime and the control plane, and only then mounts, links and folders.
"""

import shutil
from pathlib import Path

from hack.cluster.errors import ClusterError
from hack.cluster.native import cgroups, mounts, network, processes
from hack.cluster.native.layout import CNI_NETWORK, MARK, Layout

FIRST = ("kwok", "kubelet", "kube-proxy", "coredns", "kube-scheduler", "kube-controller-manager")
GRACE_SECONDS = 3.0
"""Seconds: enough for a store that is thrown away; containerd's shims would wait for ever to be collected."""
CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_LOG_LINKS = Path("/var/log/containers")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")


def tear_down(layout: Layout, *, log: Path) -> None:
    """Remove everything of the cluster from the machine; raises with what stayed, if anything did."""
    stop_processes(layout)
    mounts.unmount_all([layout.run, layout.data])
    network.remove(layout.before, log=log)
    cgroups.remove()
    _remove_files(layout)
    left = leftovers(layout)
    if left:
        raise ClusterError("these should be gone after tear-down and are still there:\n" + "\n".join(left))


def stop_processes(layout: Layout) -> None:
    """End recorded processes in order, then containers by control group, then whatever carries the mark."""
    recorded = processes.running(layout.pids)
    processes.stop([recorded[name] for name in FIRST if name in recorded])
    processes.stop(cgroups.members(), grace=0)
    processes.stop(processes.marked(MARK), grace=GRACE_SECONDS)


def leftovers(layout: Layout) -> list[str]:
    """What is still there of the cluster, one line each: empty after a good tear-down."""
    running = [*processes.marked(MARK), *cgroups.members()]
    return [
        *(f"process {record.pid}" for record in running),
        *(f"mount {point}" for point in mounts.current_mounts([layout.run, layout.data])),
        *(f"link {name}" for name in network.pod_links()),
        *(["link of the node"] if network.link_exists() else []),
        *(f"nft table {family} {name}" for family, name in network.existing_tables()),
        *(f"iptables rule {rule}" for rule in network.portmap_leftovers()),
        *(f"control group {group}" for group in cgroups.own_groups() if group.exists()),
    ]


def _remove_files(layout: Layout) -> None:
    """Our folders, and our entries in folders that programs share; nothing is mounted in them by now."""
    for path in CNI_RESULTS.glob(f"{CNI_NETWORK}-*"):
        path.unlink()
    for link in CONTAINER_LOG_LINKS.glob("*"):
        if link.is_symlink() and link.readlink().is_relative_to(layout.data):
            link.unlink()
    for name in ("kubelet.sock", "kubelet_internal_checkpoint"):
        if layout.data.exists() and not _foreign_kubelet():
            (DEVICE_PLUGINS / name).unlink(missing_ok=True)
    for folder in (layout.run, layout.data, layout.pki, layout.config):
        if folder.exists():
            shutil.rmtree(folder)
    for folder in (
        CNI_RESULTS,
        CNI_RESULTS.parent,
        CONTAINER_LOG_LINKS,
        DEVICE_PLUGINS,
        DEVICE_PLUGINS.parent,
    ):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _foreign_kubelet() -> bool:
    """Whether another kubelet keeps its state in the usual place: then its sockets there are not ours."""
    return (DEVICE_PLUGINS.parent / "pods").exists()
