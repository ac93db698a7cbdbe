from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentrollouts.release.artifact import Artifact
from agentrollouts.release.canonical import canonical, sha256
from agentrollouts.release.errors import IntegrityError
from agentrollouts.release.package import package_of
from agentrollouts.release.reference import parse_reference
from agentrollouts.release.referrers import attach, attached
from agentrollouts.release.registry import Registry
from agentrollouts.release.source import read_source
from tests.registry.hostile import Answer, hostile
from tests.registry.server import Server
from tests.releases import directory

TYPE = "application/vnd.in-toto+json"


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return read_source(directory(tmp_path / "release"))


def test_a_registry_without_the_api_gets_one_index_under_a_tag(registry: Server, artifact: Artifact) -> None:
    package = package_of(artifact)
    with Registry(parse_reference(registry.reference("index:1"))) as remote:
        remote.push(package)
        assert attached(remote, package) == []
        attach(remote, package, b"one")
        attach(remote, package, b"two")
        attach(remote, package, b"one")
        assert attached(remote, package) == [b"one", b"two"]


def test_a_registry_with_the_api_lists_by_itself(artifact: Artifact) -> None:
    package, manifests = package_of(artifact), dict[str, bytes]()

    def answer(method: str, path: str, authorization: str | None) -> Answer:
        name = path.rpartition("/")[2]
        if method == "PUT":
            return Answer(201, {"oci-subject": package.digest})
        if method == "HEAD":
            return Answer(200)
        if "/referrers/" in path:
            entries = [{"artifactType": TYPE, "digest": each} for each in manifests]
            entries.append({"artifactType": "application/vnd.another", "digest": "sha256:x"})
            return Answer(body=json.dumps({"manifests": entries}).encode())
        return Answer(body=manifests.get(name, b"one"))

    with hostile(answer) as server, Registry(parse_reference(f"{server.host}/a:1")) as remote:
        digest = attach(remote, package, b"one")
        assert [each.path for each in server.seen if each.method == "PUT"] == [f"/v2/a/manifests/{digest}"]
        layer = {"digest": sha256(b"one")}
        made = canonical({"subject": {"digest": package.digest}, "layers": [layer]})
        manifests[sha256(made)] = made
        assert attached(remote, package) == [b"one"]


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (lambda package: b"[]", "expected an OCI manifest with a subject and a layer"),
        (
            lambda package: canonical({"subject": {"digest": "sha256:x"}, "layers": [{"digest": "y"}]}),
            "expected the subject",
        ),
        (
            lambda package: canonical({"subject": {"digest": package.digest}, "layers": [{"digest": "y"}]}),
            "expected y; got sha256:",
        ),
    ],
)
def test_a_forged_list_is_refused(artifact: Artifact, manifest: object, said: str) -> None:
    package = package_of(artifact)
    assert callable(manifest)
    content = manifest(package)

    def answer(method: str, path: str, authorization: str | None) -> Answer:
        if "/referrers/" in path:
            entry = {"artifactType": TYPE, "digest": sha256(content)}
            return Answer(body=json.dumps({"manifests": [entry]}).encode())
        return Answer(body=content if "/manifests/" in path else b"forged")

    with (
        hostile(answer) as server,
        Registry(parse_reference(f"{server.host}/a:1")) as remote,
        pytest.raises(IntegrityError, match=said),
    ):
        attached(remote, package)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (b"{", "expected an OCI image index"),
        (b'{"manifests":[1]}', "expected an OCI image index"),
        (json.dumps({"manifests": [{"artifactType": TYPE}] * 65}).encode(), "at most 64 attestations"),
        (json.dumps({"manifests": [{"artifactType": TYPE, "digest": "x"}]}).encode(), "expected x; got"),
    ],
)
def test_a_broken_list_is_refused(artifact: Artifact, index: bytes, said: str) -> None:
    with (
        hostile(lambda *_: Answer(body=index)) as server,
        Registry(parse_reference(f"{server.host}/a:1")) as remote,
        pytest.raises(IntegrityError, match=said),
    ):
        attached(remote, package_of(artifact))
