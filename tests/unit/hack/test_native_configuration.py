import json
import tomllib
from pathlib import Path

import pytest
import yaml

from hack.cluster.native import configuration
from hack.cluster.native.commandlines import COMMAND_LINES
from hack.cluster.native.layout import CGROUP, DNS_ADDRESS, PAUSE_IMAGE, Layout
from hack.cluster.native.manifests import as_yaml, bootstrap_manifests

LAYOUT = Layout(work=Path("/repo/.state/native"))


@pytest.mark.parametrize("restrict", [True, False])
def test_containerd_uses_only_folders_and_sockets_of_its_own(restrict: bool) -> None:
    text = configuration.containerd_config(
        LAYOUT, cni_folders=[Path("/usr/lib/cni")], restrict_oom=restrict, snapshotter="overlayfs"
    )
    config = tomllib.loads(text)
    plugins = config["plugins"]
    runtime = plugins["io.containerd.cri.v1.runtime"]
    runc = runtime["containerd"]["runtimes"]["runc"]["options"]
    shims = plugins["io.containerd.shim.v1.manager"]["socket_dir"]
    for path in (config["root"], config["state"], config["grpc"]["address"], runc["Root"], shims):
        assert path.startswith((str(LAYOUT.run), str(LAYOUT.data)))
    assert runtime["netns_mounts_under_state_dir"] is True
    assert runtime["restrict_oom_score_adj"] is restrict
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == PAUSE_IMAGE


def test_socket_paths_are_short_enough_for_the_kernel() -> None:
    shim_socket = LAYOUT.run / "s" / ("f" * 64)
    assert max(len(str(shim_socket)), len(f"{LAYOUT.containerd_socket}.ttrpc")) <= 107


def test_the_kubelet_works_on_old_control_groups_only_where_it_must() -> None:
    old, new = (
        yaml.safe_load(
            configuration.kubelet_config(LAYOUT, cgroup_version=version, resolv_conf=Path("/etc/resolv.conf"))
        )
        for version in (1, 2)
    )
    assert old["failCgroupV1"] is False
    assert "failCgroupV1" not in new
    assert "localStorageCapacityIsolation" not in new
    for config in (old, new):
        assert config["cgroupRoot"] == f"/{CGROUP}"
        assert config["makeIPTablesUtilChains"] is False
        assert config["authentication"]["anonymous"]["enabled"] is False


def test_the_pod_network_takes_its_addresses_from_below_run() -> None:
    network = json.loads(configuration.cni_config(LAYOUT))
    first = network["plugins"][0]
    assert first["ipam"]["dataDir"].startswith(str(LAYOUT.run))
    assert first["ipMasq"] is False


def test_node_ports_are_not_opened_on_the_whole_machine() -> None:
    config = yaml.safe_load(configuration.kube_proxy_config(LAYOUT))
    assert config["nodePortAddresses"] == ["primary"]
    assert config["mode"] == "nftables"


@pytest.mark.parametrize("name", sorted(COMMAND_LINES))
def test_no_program_listens_on_every_address(name: str) -> None:
    arguments = COMMAND_LINES[name](LAYOUT)
    assert not [argument for argument in arguments if "0.0.0.0" in argument]


def test_the_cluster_dns_points_at_the_node() -> None:
    manifests = list(yaml.safe_load_all(as_yaml(bootstrap_manifests())))
    service = next(item for item in manifests if item["kind"] == "Service")
    slices = next(item for item in manifests if item["kind"] == "EndpointSlice")
    assert service["spec"]["clusterIP"] == DNS_ADDRESS
    assert "selector" not in service["spec"]
    names = {port["name"]: port["targetPort"] for port in service["spec"]["ports"]}
    assert names == {port["name"]: port["port"] for port in slices["ports"]}
    assert slices["metadata"]["labels"]["kubernetes.io/service-name"] == service["metadata"]["name"]
