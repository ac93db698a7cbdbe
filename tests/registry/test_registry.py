from __future__ import annotations

import base64
import json
from pathlib import Path

import httpx
import pytest

from agentrollouts.release.artifact import Artifact
from agentrollouts.release.errors import IntegrityError, RegistryError
from agentrollouts.release.layout import read_layout
from agentrollouts.release.package import artifact_of, package_of
from agentrollouts.release.reference import parse_reference
from agentrollouts.release.registry import Registry
from agentrollouts.release.source import read_source
from tests.registry.server import PASSWORD, USER, Server
from tests.releases import directory
from tests.unit.cli.runs import refused, run


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return read_source(directory(tmp_path / "release"))


def remote(server: Server, name: str) -> Registry:
    return Registry(parse_reference(server.reference(name)))


def test_what_is_pushed_is_pulled_byte_for_byte_by_tag_and_by_digest(
    registry: Server, artifact: Artifact
) -> None:
    package = package_of(artifact)
    with remote(registry, "round/trip:2.1.0") as repository:
        pushed = repository.push(package)
        assert (pushed.digest, pushed.new_blobs) == (package.digest, 6)
        assert repository.pull() == package
    for name in (f"round/trip@{package.digest}", f"round/trip:2.1.0@{package.digest}"):
        with remote(registry, name) as repository:
            assert artifact_of(repository.pull()) == artifact


def test_any_client_sees_an_artifact_of_our_type_whose_config_is_the_artifact_digest(
    registry: Server, artifact: Artifact
) -> None:
    with remote(registry, "typed:1") as repository:
        repository.push(package_of(artifact))
    answer = httpx.get(
        f"http://{registry.host}/v2/typed/manifests/1",
        headers={"accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    manifest = answer.json()
    assert answer.headers["content-type"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["artifactType"] == "application/vnd.agentrollouts.release.v1+json"
    assert manifest["config"]["digest"] == artifact.digest
    assert [each["mediaType"].split(".")[2] for each in manifest["layers"]] == [
        "code",
        "model",
        "prompts",
        "tools",
        "data",
    ]


def test_pushing_again_uploads_nothing(registry: Server, artifact: Artifact) -> None:
    with remote(registry, "again:1") as repository:
        repository.push(package_of(artifact))
        assert repository.push(package_of(artifact)).new_blobs == 0


def test_a_tag_that_is_another_release_is_refused_and_stays(
    registry: Server, artifact: Artifact, tmp_path: Path
) -> None:
    other = read_source(directory(tmp_path / "other", tools=[]))
    with remote(registry, "taken:2.1.0") as repository:
        repository.push(package_of(artifact))
        with pytest.raises(RegistryError, match="already"):
            repository.push(package_of(other))
        assert artifact_of(repository.pull()) == artifact


def test_a_push_by_digest_needs_no_tag_and_the_right_digest(registry: Server, artifact: Artifact) -> None:
    package = package_of(artifact)
    with remote(registry, f"untagged@{package.digest}") as repository:
        repository.push(package)
        assert repository.pull() == package
    with (
        remote(registry, f"untagged@sha256:{'0' * 64}") as repository,
        pytest.raises(RegistryError, match="leave"),
    ):
        repository.push(package)


@pytest.mark.parametrize("damage", ["changed", "longer", "shorter"])
def test_a_damaged_blob_is_refused_by_the_name_of_its_part(
    registry: Server, artifact: Artifact, damage: str
) -> None:
    digest = package_of(artifact).digest
    with remote(registry, f"damaged/{damage}:1") as repository:
        repository.push(package_of(artifact))
        blob = registry.blob(artifact.prompts.part_digest)
        whole = blob.read_bytes()
        blob.write_bytes(
            {"changed": whole.replace(b"brief", b"cruel"), "longer": whole + b" ", "shorter": whole[:-1]}[
                damage
            ]
        )
        try:
            with pytest.raises((IntegrityError, RegistryError)) as refusal:
                repository.pull()
        finally:
            blob.write_bytes(whole)
        assert "prompts" in str(refusal.value) or artifact.prompts.part_digest in str(refusal.value)
        assert package_of(artifact_of(repository.pull())).digest == digest


def test_an_image_is_no_release(registry: Server) -> None:
    base = f"http://{registry.host}/v2/image"
    config = b"{}"
    digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    begun = httpx.post(f"{base}/blobs/uploads/")
    httpx.put(
        begun.headers["location"],
        params={**dict(httpx.URL(begun.headers["location"]).params), "digest": digest},
        content=config,
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2},
        "layers": [],
    }
    put = httpx.put(
        f"{base}/manifests/1",
        content=json.dumps(manifest, sort_keys=True, separators=(",", ":")),
        headers={"content-type": "application/vnd.oci.image.manifest.v1+json"},
    )
    assert put.status_code == 201, put.text
    with remote(registry, "image:1") as repository, pytest.raises(IntegrityError, match="expected a release"):
        repository.pull()


def test_a_release_that_is_not_there_is_said_to_be_missing(registry: Server) -> None:
    with (
        remote(registry, "nothing:1") as repository,
        pytest.raises(RegistryError, match=r"404 .*check the repository"),
    ):
        repository.pull()


def test_a_registry_that_is_not_there_is_said_to_be_unreachable(artifact: Artifact) -> None:
    with (
        Registry(parse_reference("127.0.0.1:1/x:1")) as repository,
        pytest.raises(RegistryError, match="can't reach"),
    ):
        repository.push(package_of(artifact))


def test_a_closed_registry_takes_the_password_that_docker_login_left(
    closed_registry: Server, artifact: Artifact, no_credentials: Path, tmp_path: Path
) -> None:
    source, target = str(tmp_path / "release"), closed_registry.reference("closed:2.1.0")
    assert "docker login" in str(refused("release", "push", source, target))
    _log_in(no_credentials, closed_registry.host, "wrong")
    assert "401" in str(refused("release", "push", source, target))
    _log_in(no_credentials, closed_registry.host, PASSWORD)
    assert run("release", "push", source, target).exit_code == 0
    assert run("release", "verify", target).stdout.strip() == artifact.digest


def test_the_commands_push_pull_verify_and_diff(registry: Server, artifact: Artifact, tmp_path: Path) -> None:
    source, layout = str(tmp_path / "release"), tmp_path / "pulled"
    target = registry.reference("commands:2.1.0")
    pushed = run("release", "push", source, target)
    assert pushed.stdout.strip() == f"{registry.host}/commands@{package_of(artifact).digest}"
    assert run("release", "pull", target, "-o", str(layout)).stdout.strip() == artifact.digest
    assert read_layout(layout) == package_of(artifact)
    assert run("release", "verify", target, "--against", source).exit_code == 0
    other = directory(tmp_path / "other", tools=[])
    assert "part tools: expected" in str(refused("release", "verify", target, "--against", str(other)))
    assert "tools: lookup_order: removed" in run("diff", target, str(other)).stdout


def _log_in(folder: Path, host: str, password: str) -> None:
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
