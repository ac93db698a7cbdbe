"""kubectl, helm and kind: the user's own where they are recent enough, else built here.

An installed kubectl may be years older than the server; versions further apart than one minor are not
supported. An old kind can't load images into nodes of today's.
"""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from hack.cluster import tools
from hack.cluster.commands import attempt
from hack.cluster.settings import Settings, child_environment, kubernetes_version

CLIENTS = ("kubectl", "helm")
OLDEST = {"helm": (3, 14), "kind": (0, 32)}
_ASK = {
    "kubectl": ("version", "--client", "-o", "json"),
    "helm": ("version", "--template", "{{.Version}}"),
    "kind": ("version",),
}


def version_in(text: str) -> tuple[int, int] | None:
    """Major and minor of the first `v1.36.3` in a text."""
    found = re.search(r"v(\d+)\.(\d+)\.\d+", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def recent_enough(name: str, version: tuple[int, int] | None, *, server: tuple[int, int]) -> bool:
    """Whether a client of this version may be used with a server of that one."""
    if version is None:
        return False
    if name in OLDEST:
        return version >= OLDEST[name]
    return version[0] == server[0] and abs(version[1] - server[1]) <= 1


def installed(settings: Settings, name: str) -> Path | None:
    """The client on PATH, if it is recent enough; our own links to clients (see `link_clients`) do not count."""
    own = str(settings.state / "bin")
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder != own]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        return None
    server = version_in(kubernetes_version(settings)) or (1, 0)
    version = version_in(
        attempt([found, *_ASK[name]], environment=child_environment(settings), timeout=20).stdout
    )
    return Path(found) if recent_enough(name, version, server=server) else None


def client(settings: Settings, name: str) -> Path:
    """Where to find a client: what is built already, else the installed one, else where it would be built."""
    built = tools.program_path(settings, name)
    return built if built.exists() else installed(settings, name) or built


def lacking(settings: Settings, names: Sequence[str] = CLIENTS) -> list[str]:
    """The clients that have to be built."""
    return [name for name in names if not client(settings, name).exists()]


def link_clients(settings: Settings) -> Path:
    """Put links to the clients in use into one folder for PATH, `.state/bin`."""
    folder = settings.state / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name in CLIENTS:
        link = folder / name
        link.unlink(missing_ok=True)
        if client(settings, name).exists():
            link.symlink_to(client(settings, name))
    return folder
