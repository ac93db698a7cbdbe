"""Release directories to build, push and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

IMAGE = "registry.example.com/support:2.1.0@sha256:" + "c" * 64


def release(**changes: Any) -> dict[str, Any]:
    """A release.yaml."""
    return {
        "agent": "support",
        "version": "2.1.0",
        "code": {"image": IMAGE},
        "model": {
            "provider": "openai",
            "name": "gpt-5",
            "snapshot": "2026-05-01",
            "parameters": {"temperature": "0.2", "max_tokens": 1024, "stream": True},
        },
        "prompts": ["prompts/"],
        "tools": "tools.yaml",
        "data": {"files": ["data/"]},
        "lineage": {"parent": "2.0.0", "rationale": "Shorter answers."},
    } | changes


def tool(name: str = "lookup_order", **changes: Any) -> dict[str, Any]:
    """An entry of a tool manifest."""
    return {
        "name": name,
        "description": "Look an order up.\nBy its number.",
        "permissions": ["orders:read"],
        "sideEffects": "safe",
        "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}},
    } | changes


def directory(folder: Path, *, tools: list[dict[str, Any]] | None = None, **changes: Any) -> Path:
    """A release directory with a prompt, a tool and a data file."""
    files = {
        "release.yaml": yaml.safe_dump(release(**changes)),
        "tools.yaml": yaml.safe_dump({"tools": [tool()] if tools is None else tools}),
        "prompts/system.md": "You are a support agent.\nBe brief.\n",
        "data/faq.json": "[]\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder
