"""An API server on loopback that has what a test puts there, and a kubeconfig that leads to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml


def _selected(found: dict[str, Any], query: dict[str, list[str]]) -> dict[str, Any]:
    """Of a list only what a labelSelector asks for."""
    pairs = [pair.split("=") for each in query.get("labelSelector", ()) for pair in each.split(",")]
    wanted = dict(pairs).items()
    items = [item for item in found["items"] if wanted <= (item["metadata"].get("labels") or {}).items()]
    return {**found, "items": items}


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the API server has, by path: objects, lists of them, or text; everything else is not there."""
    found: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            item = found.get(path)
            if isinstance(item, dict) and "items" in item:
                item = _selected(item, parse_qs(query))
            text = item if isinstance(item, str) else ""
            body = (
                text or json.dumps(item or {"kind": "Status", "message": "not found", "code": 404})
            ).encode()
            self.send_response(200 if item is not None else 404)
            self.send_header("Content-Type", "text/plain" if text else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    yield found
    server.shutdown()
    server.server_close()
