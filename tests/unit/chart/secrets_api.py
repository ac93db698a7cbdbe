"""An API server that has Secrets and nothing else, for what a template looks up in the cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Secrets = Mapping[tuple[str, str], Mapping[str, str]]
"""The data of each, by its namespace and its name."""
_OWNER = {"meta.helm.sh/release-name": "agent-rollouts", "meta.helm.sh/release-namespace": "agent-rollouts"}


@contextmanager
def serving(secrets: Secrets) -> Iterator[str]:
    """Its address. The Secrets are those of the release `agent-rollouts` in the namespace of that name."""
    documents = _discovery() | {
        f"/api/v1/namespaces/{namespace}/secrets/{name}": _secret(namespace, name, data)
        for (namespace, name), data in secrets.items()
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = documents.get(self.path.partition("?")[0])
            missing = {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404}
            body = json.dumps(missing if found is None else found).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _discovery() -> dict[str, Any]:
    kind = {
        "name": "secrets",
        "singularName": "secret",
        "namespaced": True,
        "kind": "Secret",
        "verbs": ["get"],
    }
    return {
        "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.3"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [kind]},
    }


def _secret(namespace: str, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": _OWNER}
    return {"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "data": dict(data)}
