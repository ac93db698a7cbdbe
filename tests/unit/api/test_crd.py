"""The generated definitions: committed as generated, bounded, described, and structural as far as one can tell unserved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import V1Container, V1PodSpec, V1PodTemplateSpec

from agentrollouts.api import podtemplate
from agentrollouts.api.crd import crd, documents, main
from agentrollouts.api.kinds import KINDS, Kind

COMMITTED = Path(__file__).parents[3] / "crds"
Schema = dict[str, Any]


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema below, with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key], f"{path}[]")


def schema_of(kind: Kind) -> Schema:
    """The schema of one kind's objects."""
    schema: Schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


NODES = [(kind.kind + path, node) for kind in KINDS for path, node in nodes(schema_of(kind))]


def test_the_committed_files_are_what_the_models_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", str(COMMITTED)]) == 0, capsys.readouterr().err
    assert {file.name for file in COMMITTED.glob("*.yaml")} == set(documents())


def test_a_difference_is_found_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "crds"
    shutil.copytree(COMMITTED, folder)
    (folder / "rollouts.agentrollouts.io.yaml").write_text("kind: Other\n")
    (folder / "agentroutes.agentrollouts.io.yaml").unlink()
    assert main(["--check", str(folder)]) == 1
    words = capsys.readouterr().err
    assert "rollouts.agentrollouts.io.yaml" in words
    assert "agentroutes.agentrollouts.io.yaml" in words
    assert "make crds" in words
    assert main([str(folder)]) == 0
    assert main(["--check", str(folder)]) == 0


@pytest.mark.parametrize("name", documents())
def test_a_file_reads_back_as_its_definition(name: str) -> None:
    kind = next(kind for kind in KINDS if name.startswith(f"{kind.plural}."))
    text = documents()[name]
    assert yaml.safe_load(text) == crd(kind)
    assert "&id" not in text


def test_everything_is_bounded() -> None:
    unbounded = [
        path
        for path, node in NODES
        if (node.get("type") == "string" and not {"maxLength", "enum", "format"} & node.keys())
        or (node.get("type") == "array" and "maxItems" not in node)
        or ("additionalProperties" in node and "maxProperties" not in node)
    ]
    assert unbounded == []


def test_everything_is_described() -> None:
    plain = [
        path
        for path, node in NODES
        if "description" not in node
        and not path.endswith(".metadata")
        and not (path.endswith("[]") and "properties" not in node)
    ]
    assert plain == []


def test_nothing_is_left_of_json_schema() -> None:
    foreign = {
        "$ref",
        "$defs",
        "title",
        "const",
        "allOf",
        "oneOf",
        "not",
        "prefixItems",
        "discriminator",
        "x-refusal",
    }
    assert [path for path, node in NODES if foreign & node.keys()] == []
    assert [path for path, node in NODES if node.get("type") == "null" or None in node.get("enum", ())] == []
    typed = {"type", "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"}
    assert [path for path, node in NODES if not typed & node.keys()] == []


def test_people_are_refused_in_words_not_with_a_pattern() -> None:
    assert [
        path for path, node in NODES if "pattern" in node and ".status" not in path and "reason" not in path
    ] == []


def test_a_status_is_never_completed_by_the_server_and_a_list_item_neither() -> None:
    assert [path for path, node in NODES if "default" in node and (".status" in path or "[]" in path)] == []


def test_durations_default_as_people_write_them() -> None:
    defaults = {path: node["default"] for path, node in NODES if "default" in node}
    assert defaults["Rollout.spec.analysis.window"] == "0s"
    assert defaults["Rollout.spec.approval.above"] == "99.99%"
    assert defaults["Rollout.spec.approval"] == {}
    assert "Rollout.spec.strategy" not in defaults


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (podtemplate.POD_FIELDS, V1PodSpec),
        (podtemplate.CONTAINER_FIELDS, V1Container),
        (list(podtemplate.POD_TEMPLATE["properties"]), V1PodTemplateSpec),
    ],
)
def test_a_pod_template_has_all_fields_of_kubernetes(ours: list[str], theirs: type[Any]) -> None:
    assert sorted(ours) == sorted(theirs.attribute_map.values())


def test_no_object_of_an_immutable_spec_has_unknown_fields() -> None:
    # CEL's == takes one unknown field for another; see agentrollouts.api.podtemplate.
    open_objects = [
        path
        for path, node in NODES
        if node.get("x-kubernetes-preserve-unknown-fields") and ("type" in node or "properties" in node)
    ]
    assert open_objects == []
