"""Building images: with docker or podman where one answers, else with buildah and no engine at all."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from hack.cluster.commands import attempt, output_of, run_logged
from hack.cluster.images.base import base_archive, base_key, make_base
from hack.cluster.images.catalogue import BASE, Image
from hack.cluster.overlay import overlay_works
from hack.cluster.settings import Settings

PROXIES = (
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "all_proxy",
    "ALL_PROXY",
)
INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX")
MACHINE_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
IMAGE_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


class Builder(Protocol):
    """Turns the repository into an archive a container runtime can load."""

    def base(self) -> str:
        """A word that changes when the base image does."""

    def build(self, image: Image, *, archive: Path, log: Path) -> None:
        """Build the image and leave it at `archive`, in the form of `docker save`."""


def build_arguments(environment: Mapping[str, str], *, declared: str) -> list[str]:
    """Proxies, and those package indexes that the Dockerfile (`declared`: its text) has an ARG for."""
    indexes = [name for name in INDEXES if f"ARG {name}\n" in declared]
    names = [name for name in (*PROXIES, *indexes) if environment.get(name)]
    return [word for name in names for word in ("--build-arg", f"{name}={environment[name]}")]


def machine_bundle(environment: Mapping[str, str]) -> Path | None:
    """The certificates this machine trusts: what SSL_CERT_FILE says, else the distribution's file."""
    candidates = (environment.get("SSL_CERT_FILE", ""), *MACHINE_BUNDLES)
    return next((Path(name) for name in candidates if name and Path(name).is_file()), None)


class Engine:
    """docker or podman; `program` is its name."""

    def __init__(self, settings: Settings, program: str) -> None:
        self._settings = settings
        self._program = program

    def base(self) -> str:
        """The engine pulls the base by its tag; what the tag points at is the engine's to know."""
        return f"{self._program}:{BASE}"

    def build(self, image: Image, *, archive: Path, log: Path) -> None:
        """Build with the engine's own layer cache, then save."""
        dockerfile = self._settings.repository / image.dockerfile
        target = ["--target", image.target] if image.target else []
        arguments = build_arguments(os.environ, declared=dockerfile.read_text(encoding="utf-8"))
        command = [self._program, "build", "-f", str(dockerfile), *target, "-t", image.reference, *arguments]
        run_logged([*command, str(self._settings.repository)], log=log)
        run_logged([self._program, "save", "-o", str(archive), image.reference], log=log)


class Buildah:
    """buildah with chroot isolation: needs root, no daemon, no registry."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        driver = "overlay" if overlay_works(settings.cache) else "vfs"
        store = settings.cache / "buildah" / driver
        self._buildah = ["buildah", "--storage-driver", driver, "--root", str(store / "root")]
        self._buildah += ["--runroot", str(store / "run")]

    def base(self) -> str:
        """The key of the base image made here."""
        return base_key()

    def build(self, image: Image, *, archive: Path, log: Path) -> None:
        """Build on the base made here, meanwhile with the machine's certificates in place of the image's."""
        self._ensure_base(log=log)
        run_logged(self._build_command(image), log=log)
        target = f"docker-archive:{archive}:{image.reference}"
        run_logged([*self._buildah, "push", image.reference, target], log=log)

    def _build_command(self, image: Image) -> list[str]:
        dockerfile = self._settings.repository / image.dockerfile
        declared = dockerfile.read_text(encoding="utf-8")
        bundle = machine_bundle(os.environ)
        return [
            *self._buildah,
            *("bud", "--isolation", "chroot", "--pull=never", "--layers", "--force-rm"),
            *(["-v", f"{bundle}:{IMAGE_BUNDLE}:ro"] if bundle else []),
            *build_arguments(os.environ, declared=declared),
            *("-f", str(dockerfile), "-t", image.reference),
            *(["--target", image.target] if image.target else []),
            str(self._settings.repository),
        ]

    def _ensure_base(self, *, log: Path) -> None:
        """Put the base into buildah's store; a tag of our own tells this recipe's base from another's."""
        stamp = f"localhost/agent-rollouts-base:{base_key()}"
        if attempt([*self._buildah, "inspect", "--type", "image", stamp]).returncode == 0:
            return
        if not base_archive(self._settings).exists():
            make_base(self._settings, log=log)
        run_logged([*self._buildah, "pull", f"docker-archive:{base_archive(self._settings)}"], log=log)
        output_of([*self._buildah, "tag", BASE, stamp])
