from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.release.credentials import Credentials, config_paths, credentials_for
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
    return credentials_for(host, environment={"DOCKER_CONFIG": str(folder), "HOME": str(folder)})


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert credentials_for("r.io", environment={"HOME": str(tmp_path)}) is None


def test_docker_and_podman_keep_them_in_the_home_folder() -> None:
    assert config_paths({"HOME": "/home/ada"}) == (
        Path("/home/ada/.docker/config.json"),
        Path("/home/ada/.config/containers/auth.json"),
    )


def test_the_environment_says_otherwise() -> None:
    given = {
        "HOME": "/home/ada",
        "DOCKER_CONFIG": "/d",
        "XDG_RUNTIME_DIR": "/run/user/7",
        "XDG_CONFIG_HOME": "/c",
    }
    assert config_paths(given) == (
        Path("/d/config.json"),
        Path("/run/user/7/containers/auth.json"),
        Path("/c/containers/auth.json"),
    )
    assert config_paths({**given, "REGISTRY_AUTH_FILE": "/one.json"}) == (Path("/one.json"),)


def test_the_first_file_that_knows_the_registry_is_the_one(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    docker, running, kept = config_paths(environment)
    for path, auths in (
        (docker, {"other.io": login("docker")}),
        (running, {"r.io": login("running")}),
        (kept, {"r.io": login("kept"), "kept.io": login("kept")}),
    ):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"auths": auths}))
    assert credentials_for("other.io", environment=environment) == Credentials("ada", "docker")
    assert credentials_for("r.io", environment=environment) == Credentials("ada", "running")
    assert credentials_for("kept.io", environment=environment) == Credentials("ada", "kept")


@pytest.mark.parametrize(
    ("repository", "password"),
    [
        ("team/agents/support", "agents"),
        ("team/agents", "agents"),
        ("team/agents2", "team"),
        ("other/agents", "all"),
        ("", "all"),
    ],
)
def test_the_longest_name_of_an_entry_is_the_one(tmp_path: Path, repository: str, password: str) -> None:
    names = {"r.io": "all", "r.io/team": "team", "r.io/team/agents": "agents"}
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": {name: login(word) for name, word in names.items()}}))
    found = credentials_for("r.io", repository, {"REGISTRY_AUTH_FILE": str(file)})
    assert found == Credentials("ada", password)


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
