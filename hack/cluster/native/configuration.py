"""Configuration files of the node's programs, as text: pure, so that they can be tested without a cluster."""

import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from hack.cluster.native.layout import (
    API_PORT,
    CGROUP,
    CLUSTER_DOMAIN,
    CNI_NETWORK,
    DNS_ADDRESS,
    DNS_PORT,
    DNS_READY_PORT,
    NODE_ADDRESS,
    NODE_NAME,
    PAUSE_IMAGE,
    POD_RANGE,
    SERVICE_RANGE,
    Layout,
)


def containerd_config(
    layout: Layout, *, cni_folders: Sequence[Path], restrict_oom: bool, snapshotter: str
) -> str:
    """The container runtime's configuration, every folder and socket its own.

    `restrict_oom` is needed where the machine lacks CAP_SYS_RESOURCE: runc cannot lower a sandbox's OOM score
    there, and every sandbox dies with "can't get final child's PID from pipe".
    """
    folders = ", ".join(f'"{folder}"' for folder in cni_folders)
    return f"""version = 3
root = "{layout.data}/containerd"
state = "{layout.run}/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = "{layout.containerd_socket}"
[ttrpc]
  address = "{layout.containerd_socket}.ttrpc"
[plugins."io.containerd.shim.v1.manager"]
  socket_dir = "{layout.run}/s"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "{snapshotter}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{PAUSE_IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = {str(restrict_oom).lower()}
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = [{folders}]
    conf_dir = "{layout.config}/cni"
    use_internal_loopback = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      Root = "{layout.run}/runc"
      SystemdCgroup = false
"""


def cni_config(layout: Layout) -> str:
    """The pod network: a routed pair of links per pod.

    Not a bridge: traffic between two pods of the node would pass the netfilter hooks, which service addresses
    depend on, only where the kernel filters bridges.
    """
    network = {
        "cniVersion": "1.0.0",
        "name": CNI_NETWORK,
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": f"{layout.run}/cni-addresses",
                    "ranges": [[{"subnet": POD_RANGE}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    return json.dumps(network, indent=2)


def kubeadm_config(layout: Layout, *, version: str) -> str:
    """What kubeadm has to know to make certificates and kubeconfigs; it does nothing else here."""
    initial = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        "localAPIEndpoint": {"advertiseAddress": NODE_ADDRESS, "bindPort": API_PORT},
        "nodeRegistration": {"name": NODE_NAME, "criSocket": f"unix://{layout.containerd_socket}"},
    }
    cluster = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "clusterName": "agent-rollouts",
        "kubernetesVersion": version,
        "certificatesDir": str(layout.pki),
        "controlPlaneEndpoint": f"{NODE_ADDRESS}:{API_PORT}",
        "encryptionAlgorithm": "ECDSA-P256",
        "networking": {"dnsDomain": CLUSTER_DOMAIN, "podSubnet": POD_RANGE, "serviceSubnet": SERVICE_RANGE},
        "apiServer": {"certSANs": ["localhost", "127.0.0.1"]},
    }
    return yaml.safe_dump_all([initial, cluster])


def kubelet_config(layout: Layout, *, cgroup_version: int, resolv_conf: Path) -> str:
    """The kubelet's configuration; the stranger settings keep it from touching what is not ours.

    `makeIPTablesUtilChains: false` leaves the machine's iptables alone (kube-proxy uses nftables),
    `cgroupRoot` puts all pods below one control group of our own, thresholds keep a full disk of the machine
    from evicting pods.
    """
    config: dict[str, object] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{layout.pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": CLUSTER_DOMAIN,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "makeIPTablesUtilChains": False,
        "maxPods": 250,
        "nodeStatusUpdateFrequency": "5s",
        "podLogsDir": f"{layout.data}/pod-logs",
        "resolvConf": str(resolv_conf),
        "volumePluginDir": f"{layout.data}/volume-plugins",
    }
    if cgroup_version == 1:
        config.update(failCgroupV1=False, localStorageCapacityIsolation=False)
    return yaml.safe_dump(config)


def kube_proxy_config(layout: Layout) -> str:
    """Service addresses by nftables; node ports listen on the node's own address only."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": f"{layout.config}/kube-proxy.conf"},
            "clusterCIDR": POD_RANGE,
            "hostnameOverride": NODE_NAME,
            "mode": "nftables",
            "nodePortAddresses": ["primary"],
            "healthzBindAddress": f"{NODE_ADDRESS}:10256",
            "metricsBindAddress": f"{NODE_ADDRESS}:10249",
            # Zero leaves the machine's own connection tracking limits as they are.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        }
    )


def corefile(layout: Layout) -> str:
    """Cluster DNS: Kubernetes names answered here, everything else asked of the machine's own resolver."""
    return f""".:{DNS_PORT} {{
    bind {NODE_ADDRESS}
    errors
    health {NODE_ADDRESS}:{DNS_READY_PORT + 1}
    ready {NODE_ADDRESS}:{DNS_READY_PORT}
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {layout.config}/coredns.conf
        pods insecure
        ttl 5
    }}
    forward . /etc/resolv.conf
    cache 5
    reload
}}
"""


def nft_rules(table: str) -> str:
    """Lets pods reach the world: their packets leave under the machine's address. One table of our own."""
    return f"""table ip {table}
delete table ip {table}
table ip {table} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {POD_RANGE} ip daddr != {{ {POD_RANGE}, {SERVICE_RANGE}, {NODE_ADDRESS} }} masquerade
    }}
}}
"""
