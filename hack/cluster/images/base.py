"""The Python base image where none can be pulled: the same Debian release and Python, by debootstrap.

`python:3.13-slim` is Debian trixie with Python 3.13; trixie's own Python is 3.13 too. The image is tagged as
the one it stands for, so that Dockerfiles stay those that users build with docker.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from hack.cluster.commands import run_logged
from hack.cluster.images.catalogue import BASE
from hack.cluster.images.scratch import write_image
from hack.cluster.settings import Settings

SUITE = "trixie"
PYTHON = "3.13"
INCLUDED = ("python3", "python3-pip", "python3-venv", "ca-certificates")
DEFAULT_MIRROR = "http://deb.debian.org/debian"
CONFIG = {
    # The machine's own bundle is mounted over this file while building; at run time it is the image's.
    "Env": [
        "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
    ],
    "Cmd": ["python3"],
}
LINKS = {"python": "python3", "python3": "python3", "python3.13": "python3.13", "pip": "pip3", "pip3": "pip3"}
RECIPE = 2
"""Raise it when what this file makes changes without any of the values above changing."""


def debian_mirrors(texts: Sequence[str]) -> tuple[str, str]:
    """Archive and security mirror that this machine's apt uses; Debian's own where it names none."""
    addresses = re.findall(r"^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+)", "\n".join(texts), re.MULTILINE)
    plain = [address.rstrip("/") for address in addresses]
    archive = next((address for address in plain if address.endswith("/debian")), DEFAULT_MIRROR)
    fallback = archive.removesuffix("/debian") + "/debian-security"
    return archive, next((address for address in plain if address.endswith("/debian-security")), fallback)


def _machine_sources() -> list[str]:
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    return [
        path.read_text(encoding="utf-8")
        for path in files
        if path.suffix in {".list", ".sources"} and path.is_file()
    ]


def base_key() -> str:
    """Changes when the base image would come out otherwise."""
    facts = [SUITE, PYTHON, *INCLUDED, json.dumps(CONFIG), json.dumps(LINKS), str(RECIPE), os.uname().machine]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def base_archive(settings: Settings) -> Path:
    """Where the finished base image is kept."""
    return settings.cache / "images" / f"base-{base_key()}.tar"


def apt_sources(archive: str, security: str) -> str:
    """The image's apt sources: its release from the mirrors this machine uses."""
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    return (
        f"Types: deb\nURIs: {archive}\nSuites: {SUITE} {SUITE}-updates\n"
        f"Components: main\nSigned-By: {keyring}\n\n"
        f"Types: deb\nURIs: {security}\nSuites: {SUITE}-security\n"
        f"Components: main\nSigned-By: {keyring}\n"
    )


def make_base(settings: Settings, *, log: Path) -> Path:
    """Make the base image's archive unless it is there; takes about two minutes."""
    target = base_archive(settings)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    root = target.with_suffix(".rootfs")
    shutil.rmtree(root, ignore_errors=True)
    archive, security = debian_mirrors(_machine_sources())
    include = f"--include={','.join(INCLUDED)}"
    run_logged(["debootstrap", "--variant=minbase", include, SUITE, str(root), archive], log=log)
    _finish(root, sources=apt_sources(archive, security))
    layer = target.with_suffix(".layer")
    excluded = (
        "./dev/*",
        "./proc/*",
        "./sys/*",
        "./var/cache/apt/*",
        "./var/lib/apt/lists/*",
        "./debootstrap",
    )
    command = [
        "tar",
        "--numeric-owner",
        "--sort=name",
        "-C",
        str(root),
        *(f"--exclude={item}" for item in excluded),
    ]
    run_logged([*command, "-cf", str(layer), "."], log=log)
    unfinished = target.with_suffix(".unfinished")
    write_image(layer, image=BASE, machine=os.uname().machine, config=CONFIG, target=unfinished)
    layer.unlink()
    shutil.rmtree(root)
    unfinished.rename(target)
    return target


def _finish(root: Path, *, sources: str) -> None:
    """Put Debian's Python where the image has its own: names in /usr/local/bin, a pip that may install."""
    for name, real in LINKS.items():
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{real}")
    (root / f"usr/lib/python{PYTHON}" / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    (root / "etc/apt/sources.list.d/debian.sources").write_text(sources, encoding="utf-8")
    shutil.rmtree(root / "usr/share/doc", ignore_errors=True)
    shutil.rmtree(root / "usr/share/man", ignore_errors=True)
