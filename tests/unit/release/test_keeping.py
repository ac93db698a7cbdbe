from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from agentrollouts.release import configmap
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.canonical import canonical
from agentrollouts.release.configmap import configmap_of, package_in
from agentrollouts.release.errors import IntegrityError, ReleaseError
from agentrollouts.release.layout import is_layout, read_layout, write_layout
from agentrollouts.release.package import artifact_of, package_of
from agentrollouts.release.source import read_source
from tests.releases import directory


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return read_source(directory(tmp_path / "release"))


@pytest.fixture
def layout(artifact: Artifact, tmp_path: Path) -> Path:
    write_layout(tmp_path / "layout", package_of(artifact), name="2.1.0")
    return tmp_path / "layout"


def test_a_layout_has_the_files_the_specification_names(layout: Path, artifact: Artifact) -> None:
    package = package_of(artifact)
    assert is_layout(layout)
    assert json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((layout / "index.json").read_bytes())
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert index["manifests"] == [
        {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.agentrollouts.release.v1+json",
            "digest": package.digest,
            "size": len(package.manifest),
            "annotations": {"org.opencontainers.image.ref.name": "2.1.0"},
        }
    ]
    assert {f"sha256:{path.name}" for path in (layout / "blobs" / "sha256").iterdir()} == {
        package.digest,
        *package.blobs,
    }


def test_what_is_written_is_read(layout: Path, artifact: Artifact) -> None:
    assert read_layout(layout) == package_of(artifact)


def test_the_same_may_be_written_again_and_anything_else_may_not(
    layout: Path, artifact: Artifact, tmp_path: Path
) -> None:
    write_layout(layout, package_of(artifact), name="2.1.0")
    other = read_source(directory(tmp_path / "other", tools=[]))
    with pytest.raises(ReleaseError, match="new, empty or this very release"):
        write_layout(layout, package_of(other), name="2.1.0")
    assert read_layout(layout) == package_of(artifact)


def test_a_folder_with_other_files_and_a_file_are_left_alone(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for name, said in (("full", "it has notes.txt"), ("full/notes.txt", "new, empty or this very")):
        with pytest.raises(ReleaseError, match=said):
            write_layout(tmp_path / name, package_of(artifact), name="2.1.0")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]


def test_a_damaged_or_missing_blob_is_named(layout: Path, artifact: Artifact) -> None:
    blob = layout / "blobs" / "sha256" / artifact.prompts.part_digest.removeprefix("sha256:")
    whole = blob.read_bytes()
    for content in (whole + b" ", whole[:-1], whole.replace(b"brief", b"cruel")):
        blob.write_bytes(content)
        with pytest.raises(IntegrityError, match="part prompts: expected"):
            read_layout(layout)
    blob.write_bytes(whole + bytes(1000))
    with pytest.raises(IntegrityError, match=rf"got sha256:\w+ \({len(whole) + 1} bytes\)"):
        read_layout(layout)
    blob.unlink()
    with pytest.raises(IntegrityError, match="part prompts: can't read"):
        read_layout(layout)


def test_a_damaged_manifest_is_found(layout: Path, artifact: Artifact) -> None:
    path = layout / "blobs" / "sha256" / package_of(artifact).digest.removeprefix("sha256:")
    path.write_bytes(path.read_bytes().replace(b"2.1.0", b"2.1.1"))
    with pytest.raises(IntegrityError, match="the manifest: expected sha256:"):
        read_layout(layout)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (b"{", "expected an OCI image index"),
        (b"[]", "expected an OCI image index"),
        (b"{}", "expected an OCI image index"),
        (b'{"manifests":[1]}', "expected an OCI image index"),
        (canonical({"manifests": []}), "expected one manifest with the artifactType .*; got 0"),
        (
            canonical({"manifests": [{"artifactType": "application/vnd.agentrollouts.release.v1+json"}]}),
            "expected an OCI image index",
        ),
    ],
)
def test_an_index_that_names_no_release_is_refused(layout: Path, index: bytes, said: str) -> None:
    (layout / "index.json").write_bytes(index)
    with pytest.raises(IntegrityError, match=said):
        read_layout(layout)


def test_a_layout_without_an_index_is_refused(layout: Path) -> None:
    (layout / "index.json").unlink()
    with pytest.raises(IntegrityError, match="can't read"):
        read_layout(layout)


def test_a_config_map_is_immutable_and_named_by_the_digest(artifact: Artifact) -> None:
    made = configmap_of(artifact)
    short = artifact.digest.removeprefix("sha256:")[:12]
    assert made["immutable"] is True
    assert made["metadata"]["name"] == f"support-2.1.0-{short}"
    assert made["metadata"]["annotations"] == {"agentrollouts.io/artifact-digest": artifact.digest}
    assert all(len(value) <= 63 for value in made["metadata"]["labels"].values())


def test_a_config_map_comes_back_through_yaml_as_it_was(artifact: Artifact) -> None:
    text = yaml.safe_dump(configmap_of(artifact), allow_unicode=True)
    assert artifact_of(package_in(yaml.safe_load(text))) == artifact


def test_a_changed_config_map_is_refused_by_the_name_of_its_part(artifact: Artifact) -> None:
    made = configmap_of(artifact)
    made["data"]["prompts.json"] = made["data"]["prompts.json"].replace("brief", "cruel")
    with pytest.raises(IntegrityError, match=r"part prompts: expected sha256:.*; got sha256:"):
        artifact_of(package_in(made))


@pytest.mark.parametrize("data", [None, {}, {"manifest.json": "{}"}, "x"])
def test_another_config_map_is_refused(data: object) -> None:
    with pytest.raises(IntegrityError, match=r"expected a ConfigMap with the keys code\.json"):
        package_in({"kind": "ConfigMap", "data": data})


def test_a_config_map_with_more_keys_is_refused(artifact: Artifact) -> None:
    made = configmap_of(artifact)
    made["data"]["more"] = ""
    with pytest.raises(IntegrityError, match="more"):
        package_in(made)


def test_what_does_not_fit_into_a_config_map_is_sent_to_a_registry(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = configmap_of(artifact)["data"]
    size = sum(len(name) + len(content.encode()) for name, content in data.items())
    monkeypatch.setattr(configmap, "LARGEST", size)
    configmap_of(artifact)
    monkeypatch.setattr(configmap, "LARGEST", size - 1)
    with pytest.raises(ReleaseError, match=f"the release has {size}, most of them in tools: push it"):
        configmap_of(artifact)
