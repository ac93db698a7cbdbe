"""The digest's promises, over values nobody thought of."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.text_diff import bounded, unified, visible
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.canonical import LARGEST, CanonicalError, canonical, parse
from agentrollouts.release.configmap import configmap_of, package_in
from agentrollouts.release.diff import diff
from agentrollouts.release.diff_report import report
from agentrollouts.release.documents import (
    CodeDocument,
    DataDocument,
    ModelDocument,
    PromptsDocument,
    Tool,
    ToolsDocument,
)
from agentrollouts.release.errors import IntegrityError
from agentrollouts.release.package import Package, artifact_of, package_of

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
names = st.from_regex(r"[a-z]{1,3}(/[a-z]{1,2}\.md)?", fullmatch=True)
labels = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
digests = st.sampled_from([f"sha256:{letter * 64}" for letter in "abc"])
tools = st.builds(
    Tool,
    name=st.sampled_from(["look", "search", "refund"]),
    description=texts,
    permissions=st.lists(st.sampled_from(["r", "w", "x"]), unique=True).map(tuple),
    sideEffects=st.sampled_from(["safe", "unsafe"]),
    inputSchema=st.dictionaries(texts, values, max_size=2),
)
artifacts = st.builds(
    Artifact,
    agent=st.just("support"),
    version=st.just("1.0.0"),
    code=st.builds(CodeDocument, digest=digests, image=labels),
    model=st.builds(
        ModelDocument,
        provider=labels,
        name=labels,
        snapshot=labels,
        parameters=st.dictionaries(labels, st.booleans() | st.integers(0, 9) | labels, max_size=3),
    ),
    prompts=st.builds(PromptsDocument, files=st.dictionaries(names, texts, max_size=3)),
    tools=st.builds(
        ToolsDocument, tools=st.lists(tools, max_size=3, unique_by=lambda tool: tool.name).map(tuple)
    ),
    data=st.builds(DataDocument, digest=digests, source=labels),
)


def shuffled(value: Any) -> Any:
    """The same value with every mapping in another order."""
    if isinstance(value, dict):
        return {key: shuffled(item) for key, item in reversed(value.items())}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(values)
def test_the_order_of_keys_does_not_count_and_nothing_is_lost(value: Any) -> None:
    content = canonical(value)
    assert canonical(shuffled(value)) == content
    assert parse(content) == value
    assert json.loads(content) == value


@given(values, values)
def test_two_values_have_the_same_bytes_only_if_json_says_they_are_the_same(one: Any, two: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (canonical(one) == canonical(two)) == same


@given(st.binary())
def test_bytes_are_canonical_or_refused(content: bytes) -> None:
    try:
        value = parse(content)
    except CanonicalError:
        return
    assert canonical(value) == content


@given(artifacts)
def test_a_release_comes_back_as_it_was(artifact: Artifact) -> None:
    assert artifact_of(package_of(artifact)) == artifact
    assert artifact_of(package_in(configmap_of(artifact))) == artifact


@given(artifacts, st.data())
def test_one_changed_byte_anywhere_is_refused(artifact: Artifact, data: st.DataObject) -> None:
    package = package_of(artifact)
    stored = {"": package.manifest, **package.blobs}
    name = data.draw(st.sampled_from(sorted(stored)))
    position = data.draw(st.integers(0, len(stored[name]) - 1))
    changed = bytearray(stored[name])
    changed[position] ^= data.draw(st.integers(1, 255))
    blobs = {**package.blobs, name: bytes(changed)} if name else package.blobs
    damaged = Package(bytes(changed) if not name else package.manifest, blobs)
    try:
        found = artifact_of(damaged)
    except IntegrityError:
        return
    # The manifest has words that no digest inside it covers: its own digest does, and the parts stay.
    assert not name
    assert damaged.digest != package.digest
    assert found.parts == artifact.parts


@given(artifacts, artifacts)
def test_a_difference_is_shown_exactly_where_there_is_one(old: Artifact, new: Artifact) -> None:
    changed = {change.part for change in diff(old, new)}
    documents = {part for part in old.parts if old.documents[part].content != new.documents[part].content}
    assert changed == documents
    assert {part for part in old.parts if old.parts[part] != new.parts[part]} <= changed


@given(artifacts)
def test_nothing_differs_from_itself(artifact: Artifact) -> None:
    assert diff(artifact, artifact) == ()


@given(texts, texts)
def test_the_new_text_can_be_made_of_the_old_and_the_lines(old: str, new: str) -> None:
    lines = unified(old, new)
    assert (lines == ()) == (old == new)
    assert patched(old, lines) == new


@given(artifacts, artifacts, st.integers(0, 2000))
def test_a_report_is_bounded_and_plain(old: Artifact, new: Artifact, most: int) -> None:
    text = report(old, new, diff(old, new), most=most)
    assert len(text.encode()) <= max(most, 0)
    assert visible(text.replace("\n", "")) == text.replace("\n", "")


@given(texts, st.integers(0, 200))
def test_bounded_keeps_whole_lines(text: str, most: int) -> None:
    assert len(bounded(text, most).encode()) <= most


def patched(old: str, lines: tuple[str, ...]) -> str:
    """What a patch program would make of it."""
    source = old.split("\n")
    whole = [f"{line}\n" for line in source[:-1]] + ([source[-1]] if source[-1] else [])
    result: list[str] = []
    at = 0
    for number, line in enumerate(lines):
        if line.startswith("@@"):
            begin, _, count = line.split(" ")[1].removeprefix("-").partition(",")
            start = int(begin) - (count != "0")
            result += whole[at:start]
            at = start
        elif line.startswith("\\"):
            continue
        else:
            ended = not (number + 1 < len(lines) and lines[number + 1].startswith("\\"))
            if line[0] != "-":
                result.append(line[1:] + "\n" * ended)
            if line[0] != "+":
                at += 1
    return "".join(result + whole[at:])
