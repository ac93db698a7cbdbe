"""Inspect's own format, over a log that Inspect wrote: tests/fixtures/evals/README.md."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import pytest

from agentrollouts.evals.convert import Tool, convert, inspect_archive
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.results import Results

FIXTURES = Path(__file__).parents[2] / "fixtures" / "evals"
REAL = (FIXTURES / "inspect.eval").read_bytes()


def members() -> dict[str, bytes]:
    with inspect_archive.zipfile.ZipFile(BytesIO(REAL)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(files: Mapping[str, bytes], *more: tuple[str, bytes]) -> bytes:
    """As Inspect of 2025 wrote it, by deflate."""
    body = BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*files.items(), *more):
            archive.writestr(name, content)
    return body.getvalue()


def cases(found: Results) -> dict[str, tuple[list[float], str]]:
    return {case.id: ([float(score) for score in case.scores], case.error) for case in found.cases or ()}


def test_a_real_log_has_the_same_results_in_both_of_inspects_formats() -> None:
    found = convert(REAL, Tool.INSPECT)
    as_json = convert((FIXTURES / "inspect.json").read_bytes(), Tool.INSPECT)
    assert (cases(found), found.score, found.partial) == (cases(as_json), as_json.score, False)
    assert cases(found)["late"][0] == [1, 0, 1]


def test_a_log_compressed_by_deflate_is_the_same() -> None:
    assert convert(archive_of(members()), Tool.INSPECT) == convert(REAL, Tool.INSPECT)


def test_a_log_without_a_header_wasnt_finished() -> None:
    files = members()
    del files["header.json"]
    found = convert(archive_of(files), Tool.INSPECT)
    assert found.partial
    assert found.score == convert(REAL, Tool.INSPECT).score


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_sample_that_was_done_again_counts_once_as_it_was_last() -> None:
    name = "samples/late_epoch_2.json"
    again = json.loads(members()[name])
    again["scores"]["includes"]["value"] = again["scores"]["match"]["value"] = "C"
    found = convert(archive_of(members(), (name, json.dumps(again).encode())), Tool.INSPECT)
    assert cases(found)["late"][0] == [1, 1, 1]


def test_a_log_without_samples_is_refused() -> None:
    files = {name: body for name, body in members().items() if not name.startswith("samples/")}
    with pytest.raises(InputError, match="expected a log with its samples"):
        convert(archive_of(files), Tool.INSPECT)


@pytest.mark.parametrize("kept", [8, 300, len(REAL) // 2, len(REAL) - 5])
def test_a_log_that_was_cut_off_is_refused(kept: int) -> None:
    with pytest.raises(InputError, match=r"expected a log of Inspect; .* Was the file written to its end"):
        convert(REAL[:kept], Tool.INSPECT)


def test_a_damaged_byte_is_refused_or_leaves_a_log_that_wasnt_finished() -> None:
    """A zip archive has a checksum of each member and its name twice, so a flipped bit never becomes another score."""
    whole = cases(convert(REAL, Tool.INSPECT))
    for at in range(0, len(REAL), 7):
        body = bytearray(REAL)
        body[at] ^= 0x10
        try:
            found = convert(bytes(body), Tool.INSPECT)
        except InputError:
            continue
        assert found.partial or cases(found) == whole


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[1]", "samples/x.json: expected an object; got "),
        (b"{", "samples/x.json: expected JSON; "),
        (b"\xff", "samples/x.json: "),
        (b'{"epoch": 1}', "expected results of inspect; samples.12.id: Field required"),
    ],
)
def test_a_member_that_is_no_sample_is_refused_by_its_name(content: bytes, message: str) -> None:
    with pytest.raises(InputError) as refused:
        convert(archive_of(members(), ("samples/x.json", content)), Tool.INSPECT)
    assert message in str(refused.value)


def test_a_member_that_would_fill_the_memory_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inspect_archive, "LARGEST", 1000)
    with pytest.raises(InputError, match=r"expected at most 1,000 bytes in header.json; got \d,\d{3}"):
        convert(REAL, Tool.INSPECT)


@pytest.mark.parametrize("tool", [Tool.PROMPTFOO, Tool.DEEPEVAL])
def test_an_archive_is_no_file_of_the_other_tools(tool: Tool) -> None:
    with pytest.raises(InputError, match=f"expected results of {tool} as JSON; it is no UTF-8 text"):
        convert(REAL, tool)
