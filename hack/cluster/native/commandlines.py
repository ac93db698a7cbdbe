"""How each program of the native cluster is started: pure, one function a program."""

from hack.cluster.native.layout import (
    API_PORT,
    NODE_ADDRESS,
    NODE_NAME,
    SERVICE_RANGE,
    Layout,
)


def etcd(layout: Layout) -> list[str]:
    """The store. `--unsafe-no-fsync`: a cluster for trying out is made anew, never restored."""
    pki = layout.pki / "etcd"
    return [
        f"--name={NODE_NAME}",
        f"--data-dir={layout.data}/etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls=https://{NODE_ADDRESS}:2379",
        f"--advertise-client-urls=https://{NODE_ADDRESS}:2379",
        f"--listen-peer-urls=https://{NODE_ADDRESS}:2380",
        f"--initial-advertise-peer-urls=https://{NODE_ADDRESS}:2380",
        f"--initial-cluster={NODE_NAME}=https://{NODE_ADDRESS}:2380",
        f"--cert-file={pki}/server.crt",
        f"--key-file={pki}/server.key",
        "--client-cert-auth=true",
        f"--trusted-ca-file={pki}/ca.crt",
        f"--peer-cert-file={pki}/peer.crt",
        f"--peer-key-file={pki}/peer.key",
        "--peer-client-cert-auth=true",
        f"--peer-trusted-ca-file={pki}/ca.crt",
    ]


def kube_apiserver(layout: Layout) -> list[str]:
    """As kubeadm starts it, on the node's own address only.

    InternalIP comes first because the node's name stands in no DNS: `kubectl logs` and `exec` would fail.
    """
    pki = layout.pki
    return [
        f"--advertise-address={NODE_ADDRESS}",
        f"--bind-address={NODE_ADDRESS}",
        f"--secure-port={API_PORT}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={pki}/ca.crt",
        f"--etcd-servers=https://{NODE_ADDRESS}:2379",
        f"--etcd-cafile={pki}/etcd/ca.crt",
        f"--etcd-certfile={pki}/apiserver-etcd-client.crt",
        f"--etcd-keyfile={pki}/apiserver-etcd-client.key",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
        "--requestheader-allowed-names=front-proxy-client",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
    ]


def kube_controller_manager(layout: Layout) -> list[str]:
    """As kubeadm starts it; without leader election, since there is one."""
    own = f"{layout.config}/controller-manager.conf"
    pki = layout.pki
    return [
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        f"--bind-address={NODE_ADDRESS}",
        f"--client-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        "--leader-elect=false",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        f"--root-ca-file={pki}/ca.crt",
        f"--service-account-private-key-file={pki}/sa.key",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--use-service-account-credentials=true",
    ]


def kube_scheduler(layout: Layout) -> list[str]:
    """As kubeadm starts it; without leader election, since there is one."""
    own = f"{layout.config}/scheduler.conf"
    return [
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        f"--bind-address={NODE_ADDRESS}",
        "--leader-elect=false",
    ]


def containerd(layout: Layout) -> list[str]:
    """The container runtime, with its own configuration, sockets and folders."""
    return [f"--config={layout.config}/containerd.toml"]


def kubelet(layout: Layout) -> list[str]:
    """The node agent; its root folder is ours, not /var/lib/kubelet."""
    return [
        f"--config={layout.config}/kubelet.yaml",
        f"--kubeconfig={layout.config}/kubelet.conf",
        f"--root-dir={layout.data}/kubelet",
        f"--cert-dir={layout.data}/kubelet/pki",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_ADDRESS}",
    ]


def kube_proxy(layout: Layout) -> list[str]:
    """Service addresses on the node, and so for the machine itself too."""
    return [f"--config={layout.config}/kube-proxy.yaml"]


def coredns(layout: Layout) -> list[str]:
    """Cluster DNS as a process on the node's address."""
    return ["-conf", f"{layout.config}/Corefile"]


COMMAND_LINES = {
    "etcd": etcd,
    "kube-apiserver": kube_apiserver,
    "kube-controller-manager": kube_controller_manager,
    "kube-scheduler": kube_scheduler,
    "containerd": containerd,
    "kubelet": kubelet,
    "kube-proxy": kube_proxy,
    "coredns": coredns,
}
