from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentrollouts.api.agentversion import AgentVersionSpec
from agentrollouts.release import documents, source
from agentrollouts.release.artifact import Artifact, agent_version
from agentrollouts.release.digest import PARTS, digest_of
from agentrollouts.release.errors import SourceError
from agentrollouts.release.source import read_source
from tests.releases import directory, release, tool

DIGESTS = {
    "code": "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "model": "sha256:6157d7780402e6a2a56e838f1347477eee6890f5483b25a3845b8e375f666f8b",
    "prompts": "sha256:baf5ab4e0760f7b9cca33012c767c9f3d33cf99759332e2cb81dc1cd6da13634",
    "tools": "sha256:73b6883b195ed9fcf393242a2bbc33a8e986ba52b21010e4c9794471179cfdfb",
    "data": "sha256:a3ac82a2fd7f2b07fc32a57cd29687225743b5f0182e334242830d5d94caf739",
}
ARTIFACT = "sha256:03531dbc63bab97151f1b653bc1eab1c9b3a3264fed31561c02f0a55971466d8"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return directory(tmp_path / "release")


def refusal(folder: Path) -> str:
    with pytest.raises(SourceError) as error:
        read_source(folder)
    return str(error.value).replace(str(folder), "DIR")


def with_release(folder: Path, **changes: Any) -> Path:
    (folder / "release.yaml").write_text(yaml.safe_dump(release(**changes)))
    return folder


def test_the_digests_are_the_same_on_every_machine(folder: Path) -> None:
    artifact = read_source(folder)
    assert artifact.parts == DIGESTS
    assert artifact.digest == ARTIFACT


def test_an_agent_version_says_the_same_digests(folder: Path) -> None:
    artifact = read_source(folder)
    manifest = agent_version(artifact)
    assert manifest["metadata"]["name"] == "support-2.1.0"
    spec = AgentVersionSpec.model_validate({**manifest["spec"], "deploymentRef": {"name": "support"}})
    assert digest_of(spec.release) == artifact.digest
    assert spec.release.model.parameters == {"temperature": "0.2", "max_tokens": "1024", "stream": "true"}
    assert spec.release.code.image == "registry.example.com/support:2.1.0"
    assert spec.release.tools.names == ("lookup_order",)
    assert (spec.release.prompts.source, spec.release.data.source) == ("prompts/system.md", "data/faq.json")
    assert spec.lineage.parent == "2.0.0"


@pytest.mark.parametrize(
    ("name", "before", "after", "part"),
    [
        ("prompts/system.md", b"brief.\n", b"brief.\r\n", "prompts"),
        ("prompts/system.md", b"brief.\n", b"brief.", "prompts"),
        ("prompts/system.md", b"You", b"\xef\xbb\xbfYou", "prompts"),
        ("prompts/system.md", b"brief", b"brie\xcc\x81f", "prompts"),
        ("tools.yaml", b"orders:read", b"orders:write", "tools"),
        ("tools.yaml", b"safe", b"unsafe", "tools"),
        ("data/faq.json", b"[]\n", b"[]", "data"),
        ("release.yaml", b"c" * 64, b"c" * 63 + b"d", "code"),
        ("release.yaml", b"1024", b"'1024'", "model"),
        ("release.yaml", b"2026-05-01", b"2026-05-02", "model"),
    ],
)
def test_a_change_changes_its_part_alone(
    folder: Path, name: str, before: bytes, after: bytes, part: str
) -> None:
    old = read_source(folder)
    whole = (folder / name).read_bytes()
    assert before in whole
    (folder / name).write_bytes(whole.replace(before, after))
    new = read_source(folder)
    assert {each for each in PARTS if old.parts[each] != new.parts[each]} == {part}
    assert old.digest != new.digest


def test_names_of_prompts_count_and_words_do_not(folder: Path) -> None:
    old = read_source(folder)
    (folder / "prompts" / "system.md").rename(folder / "prompts" / "other.md")
    assert read_source(folder).parts["prompts"] != old.parts["prompts"]
    with_release(directory(folder), version="2.2.0", lineage={}, prompts=["prompts/system.md"])
    assert read_source(folder).digest == old.digest


def test_json_and_yaml_say_the_same(folder: Path) -> None:
    old = read_source(folder)
    (folder / "tools.json").write_text(json.dumps({"tools": [tool()]}, indent=4))
    assert read_source(with_release(folder, tools="tools.json")) == old


def test_hidden_files_are_left_out_of_folders(folder: Path) -> None:
    old = read_source(folder)
    (folder / "prompts" / ".DS_Store").write_bytes(b"\xff")
    (folder / "prompts" / ".git").mkdir()
    (folder / "prompts" / ".git" / "config").write_text("x")
    assert read_source(folder) == old


def test_data_may_be_elsewhere_or_none(folder: Path) -> None:
    elsewhere = {"digest": f"sha256:{'d' * 64}", "source": "s3://indexes/faq"}
    artifact = read_source(with_release(folder, data=elsewhere))
    assert artifact.parts["data"] == elsewhere["digest"]
    assert agent_version(artifact)["spec"]["release"]["data"] == elsewhere
    assert read_source(with_release(folder, data={"files": []})).data.files == {}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "2.1"}, "DIR/release.yaml: version: String should match"),
        ({"agnet": "x"}, "DIR/release.yaml: agnet: is not a field here; remove it, or check its spelling"),
        ({"agent": "a" * 41}, "DIR/release.yaml: agent: "),
        ({"code": {"image": "support:2.1.0"}}, "DIR/release.yaml: code.image: "),
        ({"code": {}}, "DIR/release.yaml: code.image: is missing"),
        (
            {"model": {"provider": "openai", "name": "gpt-5", "parameters": {"temperature": 0.2}}},
            (
                "DIR/release.yaml: model.parameters: $.temperature: expected an integer of at most 9007199254740991; got 0.2,"
                ' which languages read or write differently: write it as a string, in quotes, such as "0.2"'
            ),
        ),
        ({"model": {"provider": "openai", "name": 5}}, "model.name: Input should be a valid string; got 5"),
        ({"prompts": ["../secret"]}, "prompts: expected a relative path of letters, digits"),
        ({"prompts": ["/etc/passwd"]}, "prompts: expected a relative path"),
        ({"prompts": ["none.md"]}, "prompts: expected a file or folder none.md in DIR; there is none"),
        ({"tools": "data/missing.yaml"}, "tools: expected a file or folder data/missing.yaml"),
        ({"data": {}}, "data: give exactly one of files"),
        ({"data": {"files": [], "digest": f"sha256:{'d' * 64}"}}, "data: give exactly one of files"),
        ({"data": {"digest": "sha256:abc"}}, "data.digest: String should match"),
        ({"lineage": {"rationale": "x" * 4097}}, "lineage.rationale: String should have at most 4096"),
    ],
)
def test_a_wrong_field_is_named(folder: Path, changes: dict[str, Any], said: str) -> None:
    assert said in refusal(with_release(folder, **changes))


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ([tool(), tool()], "DIR/tools.yaml: tools: the tool 'lookup_order' is given 2 times; keep one"),
        ([tool(permissions=["a", "a"])], "tools[0].permissions: the permission 'a' is given 2 times"),
        ([tool(sideEffects="none")], "tools[0].sideEffects: Input should be 'safe' or 'unsafe'; got 'none'"),
        ([tool(name="a b")], "tools[0].name: "),
        ([tool(inputSchema={"minimum": 0.5})], "tools[0].inputSchema: $.minimum: expected an integer"),
        ([tool(permission=["x"])], "tools[0].permission: is not a field here"),
        ([tool(description=None)], "tools[0].description: Input should be a valid string; got None"),
        ([tool(f"t{number}") for number in range(65)], "tools: "),
    ],
)
def test_a_wrong_tool_is_named(folder: Path, tools: list[dict[str, Any]], said: str) -> None:
    assert said in refusal(directory(folder, tools=tools))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("tools.yaml", b"- a\n", "DIR/tools.yaml: expected a mapping; got list"),
        ("tools.yaml", b"tools: []\ntools: []\n", "DIR/tools.yaml: line 1: the key 'tools' is given twice"),
        ("tools.yaml", b"x: &a [1]\n\n\ny: *a\n", "DIR/tools.yaml: line 4: write the value out; aliases"),
        ("tools.yaml", b"tools: [\n", "DIR/tools.yaml: line 2: expected YAML: "),
        ("tools.yaml", b"tools: \x07\n", "DIR/tools.yaml: expected YAML: "),
        ("tools.yaml", b"tools: [\xff]\n", "DIR/tools.yaml: expected UTF-8; byte 8 isn't"),
        ("tools.yaml", b"a: 1\n---\nb: 1\n", "DIR/tools.yaml: line 2: expected YAML: "),
        ("prompts/system.md", b"caf\xe9", "DIR/prompts/system.md: expected UTF-8; byte 3 isn't"),
        ("prompts/caf\u00e9.md", b"x", "prompts: expected a relative path of letters"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(folder: Path, name: str, content: bytes, said: str) -> None:
    (folder / name).write_bytes(content)
    assert said in refusal(folder)


def test_json_twice_in_one_object_is_refused(folder: Path) -> None:
    (folder / "tools.json").write_text('{"tools":[],"tools":[]}')
    assert "DIR/tools.json: $: the key 'tools' is given twice" in refusal(
        with_release(folder, tools="tools.json")
    )


def test_a_link_out_of_the_directory_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (folder / "prompts" / "link.md").symlink_to(tmp_path / "secret")
    assert "prompts: prompts/link.md leads out of DIR; copy the file into it" in refusal(folder)


def test_a_link_to_a_folder_is_not_left_out_in_silence(folder: Path) -> None:
    (folder / "prompts" / "more").symlink_to(folder / "data")
    assert refusal(folder) == "can't read DIR/prompts/more: Is a directory"


def test_a_tool_manifest_is_one_file(folder: Path) -> None:
    assert "tools: expected one file; data/ has 2" in refusal(two_files(with_release(folder, tools="data/")))


def two_files(folder: Path) -> Path:
    (folder / "data" / "more.json").write_text("{}")
    return folder


def test_a_missing_release_file_is_named(folder: Path) -> None:
    shutil.rmtree(folder)
    assert refusal(folder) == "can't read DIR/release.yaml: No such file or directory"


def test_large_prompts_belong_to_the_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "LARGEST_DOCUMENT", 60)
    assert "prompts: expected at most 60 bytes; got" in refusal(folder)
    assert documents.LARGEST_DOCUMENT > 60


def test_more_names_than_a_label_holds_are_counted(folder: Path) -> None:
    (folder / "prompts" / "b.md").write_text("x")
    assert source_of(read_source(folder)) == "prompts/b.md and 1 more"
    deep = folder / "prompts" / ("a" * 200) / ("b" * 200)
    deep.mkdir(parents=True)
    (deep / "c.md").write_text("x")
    assert source_of(read_source(folder)) == "3 files"


def source_of(artifact: Artifact) -> str:
    return str(agent_version(artifact)["spec"]["release"]["prompts"]["source"])
