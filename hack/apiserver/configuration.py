"""Files and command lines of the test API server: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

HOST = "127.0.0.1"
SERVICE_RANGE = "10.96.0.0/16"
CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "job-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "endpointslice-controller",
    "disruption-controller",
    "clusterrole-aggregation-controller",
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Free ports of the loopback address, one a listener."""

    etcd_client: int
    etcd_peer: int
    api: int
    controllers: int


def kubeadm_config(pki: Path, *, version: str) -> str:
    """What kubeadm needs to make certificates valid for the loopback address."""
    initial = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "InitConfiguration",
        # kubeadm refuses a loopback address here; the name the certificate is used under stands in certSANs.
        "localAPIEndpoint": {"advertiseAddress": "192.0.2.1", "bindPort": 6443},
        "nodeRegistration": {"name": "none", "criSocket": "unix:///none"},
    }
    cluster = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": version,
        "certificatesDir": str(pki),
        "encryptionAlgorithm": "ECDSA-P256",
        "networking": {"serviceSubnet": SERVICE_RANGE},
        "apiServer": {"certSANs": ["localhost", HOST]},
    }
    return yaml.safe_dump_all([initial, cluster])


def etcd_arguments(folder: Path, ports: Ports) -> list[str]:
    """A store that never waits for the disk: it dies with the test."""
    client, peer = f"http://{HOST}:{ports.etcd_client}", f"http://{HOST}:{ports.etcd_peer}"
    return [
        f"--data-dir={folder}/etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def apiserver_arguments(folder: Path, ports: Ports, *, service_accounts: bool) -> list[str]:
    """RBAC on; the ServiceAccount admission only where a controller makes the accounts it demands."""
    pki = folder / "pki"
    return [
        f"--etcd-servers=http://{HOST}:{ports.etcd_client}",
        f"--bind-address={HOST}",
        f"--advertise-address={HOST}",
        f"--secure-port={ports.api}",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--token-auth-file={folder}/tokens.csv",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        # With a loopback address the server would look for an endpoint to advertise that no pod could reach.
        "--endpoint-reconciler-type=none",
        *([] if service_accounts else ["--disable-admission-plugins=ServiceAccount"]),
    ]


def controller_arguments(folder: Path, ports: Ports) -> list[str]:
    """Only the controllers that work without nodes."""
    kubeconfig = f"{folder}/kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={HOST}",
        f"--secure-port={ports.controllers}",
        f"--cert-dir={folder}/controller-certificates",
        f"--root-ca-file={folder}/pki/ca.crt",
        f"--service-account-private-key-file={folder}/pki/sa.key",
        "--leader-elect=false",
        f"--controllers={','.join(CONTROLLERS)}",
    ]


def token_line(token: str, *, user: str, groups: Sequence[str]) -> str:
    """A line of the static token file: token, user name, user id, groups."""
    return f'{token},{user},{user},"{",".join(groups)}"\n'


def kubeconfig(url: str, *, authority: Path, token: str) -> Mapping[str, object]:
    """A kubeconfig with one cluster, one user and one context."""
    name = "agent-rollouts-test"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority": str(authority)}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
