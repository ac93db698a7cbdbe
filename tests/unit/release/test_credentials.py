from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.release.credentials import Credentials, config_path, credentials_for
from agentrollouts.release.errors import RegistryError

HELPER = """#!/bin/sh
test "$1" = get || exit 2
read -r host
case "$host" in
  r.io) echo '{"ServerURL":"r.io","Username":"ada","Secret":"from helper"}' ;;
  token.io) echo '{"ServerURL":"token.io","Username":"<token>","Secret":"x"}' ;;
  broken.io) echo 'what?' ;;
  *) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


def login(password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"ada:{password}".encode()).decode()}


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential helper named `test`, as a program that docker would call."""
    program = tmp_path / "bin" / "docker-credential-test"
    program.parent.mkdir()
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def found(folder: Path, config: Any, host: str = "r.io") -> Credentials | None:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return credentials_for(host, {"DOCKER_CONFIG": str(folder)})


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert credentials_for("r.io", {"DOCKER_CONFIG": str(tmp_path)}) is None


def test_docker_keeps_them_in_the_home_folder() -> None:
    assert config_path({"HOME": "/home/ada"}) == Path("/home/ada/.docker/config.json")


def test_a_login_is_found_by_the_registry_and_keeps_colons(tmp_path: Path) -> None:
    config = {"auths": {"r.io": login("a:b"), "other.io": login("x")}}
    assert found(tmp_path, config) == Credentials("ada", "a:b")
    assert found(tmp_path, config, "third.io") is None


def test_passwords_are_not_shown() -> None:
    assert "s3cret" not in repr(Credentials("ada", "s3cret"))


@pytest.mark.usefixtures("helper")
@pytest.mark.parametrize(
    "config", [{"credsStore": "test"}, {"credHelpers": {"r.io": "test"}, "auths": {"r.io": {}}}]
)
def test_a_helper_is_asked(tmp_path: Path, config: dict[str, Any]) -> None:
    assert found(tmp_path, config) == Credentials("ada", "from helper")


@pytest.mark.usefixtures("helper")
def test_a_helper_may_know_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, {"credsStore": "test"}, "unknown.io") is None


@pytest.mark.usefixtures("helper")
@pytest.mark.parametrize(
    ("config", "host", "said"),
    [
        ("{", "r.io", "expected JSON as `docker login` writes it"),
        ({"auths": {"r.io": {"auth": "%%"}}}, "r.io", "the entry of r.io isn't as `docker login` writes it"),
        ({"auths": {"r.io": {"auth": "YWRh"}}}, "r.io", "the entry of r.io isn't as"),
        ({"auths": ["r.io"]}, "r.io", "the entry of r.io isn't as"),
        ({"credsStore": "absent"}, "r.io", "names docker-credential-absent, which doesn't answer"),
        ({"credsStore": "test"}, "token.io", "has an identity token for token.io"),
        ({"credsStore": "test"}, "broken.io", "the entry of broken.io isn't as"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, config: Any, host: str, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        found(tmp_path, config, host)
