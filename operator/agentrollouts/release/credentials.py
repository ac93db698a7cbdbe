"""Credentials for registries, from where ``docker login``, ``podman login`` and their like keep them."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentrollouts.release.errors import RegistryError


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password or access token, which never shows up in a message or a traceback."""

    user: str
    password: str = field(repr=False)


def credentials_for(
    host: str, repository: str = "", environment: Mapping[str, str] | None = None
) -> Credentials | None:
    """Those for a registry from the first file that has some, by way of its credential helper where it names one; None without any.

    Raises RegistryError where a file can't be read or says something else than the tools write.
    """
    for path in config_paths(os.environ if environment is None else environment):
        if (found := _in_file(path, host, repository)) is not None:
            return found
    return None


def config_paths(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where docker looks, then podman (containers-auth.json(5)); the one file that ``REGISTRY_AUTH_FILE`` names, if it does."""
    if given := environment.get("REGISTRY_AUTH_FILE"):
        return (Path(given),)
    home = Path(environment.get("HOME") or "~").expanduser()
    containers = (
        environment.get("XDG_RUNTIME_DIR"),
        environment.get("XDG_CONFIG_HOME") or home / ".config",
    )
    return (
        Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json",
        *(Path(folder) / "containers" / "auth.json" for folder in containers if folder),
    )


def _in_file(path: Path, host: str, repository: str) -> Credentials | None:
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RegistryError(f"can't read {path}: {error.strerror}") from error
    except ValueError as error:
        raise RegistryError(f"{path}: expected JSON as `docker login` writes it; {error}") from error
    try:
        helper = config.get("credHelpers", {}).get(host) or config.get("credsStore")
        entries = config.get("auths", {})
        entry = next((entries[name] for name in _names(host, repository) if entries.get(name)), None)
        return _from_entry(entry) or (_from_helper(helper, host) if helper else None)
    except (AttributeError, TypeError, ValueError) as error:
        raise RegistryError(
            f"{path}: the entry of {host} isn't as `docker login` writes it; log in again"
        ) from error


def _names(host: str, repository: str) -> Iterator[str]:
    """What an entry may be called: podman has them for a part of a registry, too, and the longest name is the one."""
    parts = [part for part in repository.split("/") if part]
    for count in range(len(parts), -1, -1):
        yield "/".join((host, *parts[:count]))


def _from_entry(entry: dict[str, Any] | None) -> Credentials | None:
    if not entry or not entry.get("auth"):
        return None
    try:
        user, found, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except binascii.Error as error:
        raise ValueError from error
    if not found:
        raise ValueError
    return Credentials(user, password)


def _from_helper(name: str, host: str) -> Credentials | None:
    """Ask ``docker-credential-NAME``, docker's own protocol; one that knows nothing of the registry ends with status 1."""
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(
            [program, "get"], input=host, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegistryError(
            f"the file of registry credentials names {program}, which doesn't answer: {error}"
        ) from error
    if done.returncode:
        return None
    answer = json.loads(done.stdout)
    if answer["Username"] == "<token>":
        raise RegistryError(
            f"{program} has an identity token for {host}; expected a user and a password or access token"
        )
    return Credentials(answer["Username"], answer["Secret"])
