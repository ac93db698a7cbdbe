"""Credentials for registries, from where ``docker login`` and its like keep them."""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentrollouts.release.errors import RegistryError


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password or access token, which never shows up in a message or a traceback."""

    user: str
    password: str = field(repr=False)


def credentials_for(host: str, environment: Mapping[str, str] | None = None) -> Credentials | None:
    """Those of docker's config.json for a registry, by way of its credential helper where it names one; None without any.

    Raises RegistryError where the file can't be read or says something else than docker writes.
    """
    path = config_path(os.environ if environment is None else environment)
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
        entry = config.get("auths", {}).get(host)
        return _from_entry(entry) or (_from_helper(helper, host) if helper else None)
    except (AttributeError, TypeError, ValueError) as error:
        raise RegistryError(
            f"{path}: the entry of {host} isn't as `docker login` writes it; log in again"
        ) from error


def config_path(environment: Mapping[str, str]) -> Path:
    """Where docker looks."""
    folder = environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or "~").expanduser() / ".docker"
    return Path(folder) / "config.json"


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
        raise RegistryError(f"docker's config.json names {program}, which doesn't answer: {error}") from error
    if done.returncode:
        return None
    answer = json.loads(done.stdout)
    if answer["Username"] == "<token>":
        raise RegistryError(
            f"{program} has an identity token for {host}; expected a user and a password or access token"
        )
    return Credentials(answer["Username"], answer["Secret"])
