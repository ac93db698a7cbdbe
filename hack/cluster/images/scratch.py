"""Image archives written directly, as `docker save` would: no builder, no base, the same bytes every time."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def image_architecture(machine: str) -> str:
    """The image format's word for what `uname -m` says."""
    return _MACHINES.get(machine, machine)


def _add(archive: tarfile.TarFile, name: str, content: bytes, *, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mode = mode
    archive.addfile(member, io.BytesIO(content))


def _file_hash(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_image(layer: Path, *, image: str, machine: str, config: Mapping[str, object], target: Path) -> None:
    """Write an image of one layer (an uncompressed tar file) with the given run configuration."""
    body = {
        "architecture": image_architecture(machine),
        "os": "linux",
        "config": dict(config),
        "created": "1970-01-01T00:00:00Z",
        # Builders that add layers on top refuse a base whose history tells of fewer layers than it has.
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "agent-rollouts"}],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_file_hash(layer)}"]},
    }
    encoded = json.dumps(body).encode()
    name = f"{hashlib.sha256(encoded).hexdigest()}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": [image], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(target, mode="w") as archive:
        _add(archive, name, encoded)
        archive.add(layer, arcname="layer.tar", filter=_without_dates)
        _add(archive, "manifest.json", manifest)


def _without_dates(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime, member.uid, member.gid, member.uname, member.gname = 0, 0, 0, "", ""
    return member


def write_scratch_image(program: Path, *, image: str, machine: str, target: Path) -> None:
    """Write an image that holds and runs only one static program."""
    layer = target.with_suffix(".layer")
    with tarfile.open(layer, mode="w") as archive:
        _add(archive, program.name, program.read_bytes(), mode=0o755)
    config = {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"}
    write_image(layer, image=image, machine=machine, config=config, target=target)
    layer.unlink()
