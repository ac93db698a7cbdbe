"""The xDS folder: files appear whole or not at all."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from agentrollouts.dataplane.clusters import clusters_file
from agentrollouts.dataplane.listeners import ListenerSettings, listeners_file
from agentrollouts.dataplane.resources import CDS, LDS, SCRIPT, shard_names
from agentrollouts.dataplane.routing import routes_file


def put(folder: Path, name: str, body: bytes) -> None:
    """Write one file by rename, which is also what Envoy's file watch looks for."""
    waiting = folder / f".{name}.new"
    waiting.write_bytes(body)
    # Envoy may run as another user of the pod.
    waiting.chmod(0o644)
    waiting.replace(folder / name)


def load(folder: Path) -> dict[str, bytes]:
    """The configuration files present, by name."""
    names = (CDS, LDS, *(f"{shard}.json" for shard in shard_names()))
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


def prepare(folder: Path, settings: ListenerSettings) -> None:
    """Make every file Envoy names: it refuses to start without them. Files of an earlier run stay: they're the last good ones."""
    folder.mkdir(parents=True, exist_ok=True)
    put(folder, SCRIPT, files("agentrollouts.dataplane").joinpath(SCRIPT).read_bytes())
    present = load(folder)
    empty = {f"{name}.json": routes_file(name, (), ()) for name in shard_names()}
    for name, body in {**empty, CDS: clusters_file({}), LDS: listeners_file((), settings)}.items():
        if name not in present:
            put(folder, name, body)
