from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.release.artifact import Artifact
from agentrollouts.release.canonical import canonical, sha256
from agentrollouts.release.digest import PARTS
from agentrollouts.release.errors import IntegrityError
from agentrollouts.release.package import Package, artifact_of, package_of
from agentrollouts.release.source import read_source
from tests.releases import directory

Manifest = dict[str, Any]


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return read_source(directory(tmp_path / "release"))


def refusal(package: Package) -> str:
    with pytest.raises(IntegrityError) as error:
        artifact_of(package)
    return str(error.value)


def edited(package: Package, edit: Callable[[Manifest], object]) -> Package:
    manifest = json.loads(package.manifest)
    edit(manifest)
    return Package(canonical(manifest), package.blobs)


def with_document(artifact: Artifact, part: str, content: bytes) -> Package:
    """A package that is consistent but for its config: its manifest names another document."""
    package = package_of(artifact)
    number = PARTS.index(part)
    changed = edited(
        package, lambda manifest: manifest["layers"][number].update(digest=sha256(content), size=len(content))
    )
    return Package(changed.manifest, {**package.blobs, sha256(content): content})


def test_the_manifest_is_the_same_on_every_machine(artifact: Artifact) -> None:
    assert (
        package_of(artifact).digest
        == "sha256:89e561831729cd686a053da08d8eeb7c7fdc261c200c8db8085d5d5a3d8a0ff6"
    )


def test_what_is_packed_is_unpacked(artifact: Artifact) -> None:
    assert artifact_of(package_of(artifact)) == artifact


def test_the_config_is_what_the_artifact_digest_is_the_hash_of(artifact: Artifact) -> None:
    manifest = json.loads(package_of(artifact).manifest)
    assert manifest["config"]["digest"] == artifact.digest
    assert json.loads(package_of(artifact).blobs[artifact.digest]) == artifact.parts


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_or_changed_document_is_named(artifact: Artifact, part: str) -> None:
    package = package_of(artifact)
    digest = sha256(artifact.documents[part].content)
    left = {name: content for name, content in package.blobs.items() if name != digest}
    assert refusal(Package(package.manifest, left)) == f"part {part}: expected a blob {digest}; there is none"
    changed = package.blobs[digest].replace(b'"', b"'", 1)
    assert refusal(Package(package.manifest, {**left, digest: changed})).startswith(
        f"part {part}: expected {digest} ({len(changed)} bytes); got {sha256(changed)}"
    )


def test_a_blob_of_another_size_is_refused(artifact: Artifact) -> None:
    def grow(manifest: Manifest) -> None:
        manifest["layers"][2]["size"] += 1

    assert "part prompts: expected" in refusal(edited(package_of(artifact), grow))


def test_a_document_swapped_together_with_the_manifest_is_found_by_its_part(artifact: Artifact) -> None:
    forged = artifact.prompts.content.replace(b"brief", b"cruel")
    assert refusal(with_document(artifact, "prompts", forged)) == (
        f"part prompts: expected {artifact.parts['prompts']}; got {sha256(forged)}"
    )


def test_the_image_counts_by_its_digest(artifact: Artifact) -> None:
    forged = artifact.code.content.replace(b"cccc", b"dddd", 1)
    assert "part code: expected sha256:cccc" in refusal(with_document(artifact, "code", forged))


@pytest.mark.parametrize(
    ("part", "content", "said"),
    [
        ("prompts", b'{"files": {}}', "part prompts: $: expected canonical JSON"),
        ("prompts", b'{"files":{"../x":""}}', "part prompts: files: expected a relative path"),
        ("prompts", b'{"files":{},"more":1}', "part prompts: more: is not a field here"),
        ("model", b'{"name":"m","provider":"p"}', "part model: expected every field written out"),
        ("model", b"[]", "part model: "),
        ("data", b'{"digest":"sha256:0","files":{},"source":""}', "part data: digest: "),
        (
            "data",
            canonical({"digest": f"sha256:{'0' * 64}", "files": {"a": f"sha256:{'1' * 64}"}, "source": ""}),
            "part data: expected the digest of the files",
        ),
    ],
)
def test_a_document_in_another_form_is_refused(
    artifact: Artifact, part: str, content: bytes, said: str
) -> None:
    assert said in refusal(with_document(artifact, part, content))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda m: m.update(artifactType="application/x"), "expected a release, .*; got application/x"),
        (lambda m: m.pop("artifactType"), "expected a release, .*; got none"),
        (lambda m: m.update(subject={}), "the manifest: subject: is not a field here"),
        (lambda m: m.update(schemaVersion=3), "the manifest: schemaVersion: "),
        (lambda m: m["layers"].pop(), "the manifest: layers: "),
        (lambda m: m["layers"].append(m["layers"][0]), "the manifest: layers: "),
        (lambda m: m["layers"][0].update(digest="sha512:0"), r"the manifest: layers\[0\].digest: "),
        (lambda m: m["layers"][0].update(size=5 * 1024 * 1024), r"the manifest: layers\[0\].size: "),
        (lambda m: m["layers"][0].update(size="12"), r"the manifest: layers\[0\].size: "),
        (lambda m: m["layers"][0].update(mediaType="text/html"), "expected what `release build` writes"),
        (lambda m: m["layers"][0].pop("annotations"), "expected what `release build` writes"),
        (lambda m: m["config"].update(mediaType="application/json"), "expected what `release build` writes"),
        (lambda m: m["annotations"].update(more="x"), "expected what `release build` writes"),
        (lambda m: m["annotations"].pop("agentrollouts.io/agent"), "annotations: agent: "),
        (lambda m: m["annotations"].update({"agentrollouts.io/lineage": "{ }"}), "lineage: .*canonical"),
        (lambda m: m["annotations"].update({"agentrollouts.io/lineage": '{"x":1}'}), "lineage.x: is not a"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(
    artifact: Artifact, edit: Callable[[Manifest], object], said: str
) -> None:
    with pytest.raises(IntegrityError, match=said):
        artifact_of(edited(package_of(artifact), edit))


def test_swapped_layers_are_refused(artifact: Artifact) -> None:
    assert "part code" in refusal(edited(package_of(artifact), lambda m: m["layers"].reverse()))


def test_a_config_of_another_form_is_refused(artifact: Artifact) -> None:
    package = package_of(artifact)
    for content, said in (
        (b'{"code":"x"}', "config: expected the digests of code"),
        (b"{ }", "config: $: expected canonical JSON"),
        (b"[]", "config: expected the digests of code"),
    ):
        changed = edited(
            package, lambda m, content=content: m["config"].update(digest=sha256(content), size=len(content))
        )
        assert said in refusal(Package(changed.manifest, {**package.blobs, sha256(content): content}))


def test_a_manifest_that_is_no_canonical_json_is_refused(artifact: Artifact) -> None:
    package = package_of(artifact)
    assert "the manifest: $: expected canonical JSON" in refusal(
        Package(package.manifest + b"\n", package.blobs)
    )


def test_words_change_the_manifest_and_not_the_artifact(artifact: Artifact) -> None:
    other = replace(artifact, version="9.9.9")
    assert other.digest == artifact.digest
    assert package_of(other).digest != package_of(artifact).digest
