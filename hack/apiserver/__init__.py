"""A real kube-apiserver for tests, in a few seconds: etcd, the API server, controllers where asked for.

    from hack.apiserver import running_apiserver

    with running_apiserver() as server:
        ...  # server.kubeconfig, server.url, server.token

No node, no scheduler: what the API server itself does (structural schemas, CEL, admission policies,
server-side apply, RBAC, watches) is real, pods never run. Programs come from KUBEBUILDER_ASSETS where that is
set, else from the cache that `make cluster` shares.
"""

from hack.apiserver.server import ApiServer, running_apiserver

__all__ = ["ApiServer", "running_apiserver"]
