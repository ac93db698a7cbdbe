"""The objects a fresh API server needs before the cluster is like one made by kubeadm."""

from collections.abc import Mapping, Sequence

import yaml

from hack.cluster.native.layout import DNS_ADDRESS, DNS_PORT, NODE_ADDRESS

Manifest = Mapping[str, object]
_RBAC = "rbac.authorization.k8s.io"


def _binding(name: str, *, role: str, subject: Mapping[str, str]) -> Manifest:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, **subject}],
    }


def _rule(group: str, resources: Sequence[str]) -> Mapping[str, object]:
    return {"apiGroups": [group], "resources": list(resources), "verbs": ["get", "list", "watch"]}


def bootstrap_manifests() -> list[Manifest]:
    """Administrators as kubeadm binds them, and the cluster's DNS.

    The DNS is a Service without a selector before CoreDNS, which runs as a process on the node's address.
    """
    names = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": "dns", "protocol": "UDP"}, {"name": "dns-tcp", "protocol": "TCP"}]
    return [
        _binding(
            "kubeadm:cluster-admins",
            role="cluster-admin",
            subject={"kind": "Group", "name": "kubeadm:cluster-admins"},
        ),
        _binding(
            "kubeadm:apiserver-kubelet-client",
            role="system:kubelet-api-admin",
            subject={"kind": "User", "name": "kube-apiserver-kubelet-client"},
        ),
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": [
                _rule("", ["endpoints", "services", "pods", "namespaces"]),
                _rule("discovery.k8s.io", ["endpointslices"]),
            ],
        },
        _binding("system:coredns", role="system:coredns", subject={"kind": "User", "name": "system:coredns"}),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**names, "labels": {"k8s-app": "kube-dns"}},
            "spec": {
                "clusterIP": DNS_ADDRESS,
                "ports": [{**port, "port": 53, "targetPort": DNS_PORT} for port in ports],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**names, "labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "ports": [{**port, "port": DNS_PORT} for port in ports],
            "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
        },
    ]


def as_yaml(manifests: Sequence[Manifest]) -> str:
    """Manifests as `kubectl apply -f -` reads them."""
    return yaml.safe_dump_all([dict(manifest) for manifest in manifests])
