from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.release.configmap import configmap_of
from agentrollouts.release.source import read_source
from agentrollouts_kit import ReleaseError, ReleaseMismatchError, Reporter, load_release
from agentrollouts_kit import release as kit
from tests.releases import directory

OTHER = f"sha256:{'0' * 64}"


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Iterator[None]:
    yield
    kit._in_use = None


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """What a pod has whose template mounts the release's ConfigMap and the folder with its data."""
    artifact = read_source(directory(tmp_path / "source"))
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for name, text in configmap_of(artifact)["data"].items():
        (mounted / name).write_bytes(text.encode())
    log = tmp_path / "termination-log"
    log.touch()
    return {
        "AGENT_RELEASE_DIR": str(mounted),
        "AGENT_RELEASE_DIGEST": artifact.digest,
        "AGENT_TERMINATION_LOG": str(log),
        "AGENT_RELEASE_DATA_DIR": str(tmp_path / "source"),
    }


def exposed(reporter: Reporter) -> list[str]:
    body = reporter.render("text/plain").body.decode()
    return [line for line in body.splitlines() if line.startswith("agent_release_info{")]


def test_an_agent_gets_what_it_was_promised(env: dict[str, str]) -> None:
    release = load_release(env)
    assert release is not None
    assert release.digest == env["AGENT_RELEASE_DIGEST"]
    assert release.prompts == {"prompts/system.md": "You are a support agent.\nBe brief.\n"}
    assert release.model["parameters"]["temperature"] == "0.2"
    assert [tool["name"] for tool in release.tools] == ["lookup_order"]
    assert release.data == {"data/faq.json": b"[]\n"}
    assert Path(env["AGENT_TERMINATION_LOG"]).read_text() == ""


def test_the_manifest_says_which_tools_are_safe_and_an_environment_cant_add_one(env: dict[str, str]) -> None:
    named = ("refund_order",)
    assert kit.safe_tools(named) == named
    load_release(env)
    assert kit.safe_tools(named) == ("lookup_order",)


def test_an_agent_without_a_release_directory_reports_nothing(make_reporter: Callable[..., Reporter]) -> None:
    assert load_release({"AGENT_RELEASE_DIGEST": OTHER}) is None
    assert exposed(make_reporter()) == []


def test_what_was_loaded_is_scraped_beside_the_counters(
    env: dict[str, str], make_reporter: Callable[..., Reporter]
) -> None:
    load_release(env)
    (line,) = exposed(make_reporter())
    assert f'loaded="{env["AGENT_RELEASE_DIGEST"]}"' in line
    assert line.endswith(" 1.0")


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("prompts", lambda text: text.replace("Be brief.", "Be short.")),
        ("prompts", lambda text: f"{text}\n"),
        ("model", lambda text: text.replace('"0.2"', '"0.3"')),
        ("tools", lambda text: text.replace('"safe"', '"unsafe"')),
        ("code", lambda text: text.replace("c" * 64, "d" * 64)),
    ],
    ids=["a word", "a line end", "a parameter", "a permission", "an image"],
)
def test_another_release_is_never_served(
    part: str, change: Callable[[str], str], env: dict[str, str], make_reporter: Callable[..., Reporter]
) -> None:
    path = Path(env["AGENT_RELEASE_DIR"]) / f"{part}.json"
    path.write_bytes(change(path.read_bytes().decode()).encode())
    with pytest.raises(ReleaseMismatchError) as refused:
        load_release(env)
    assert refused.value.promised == env["AGENT_RELEASE_DIGEST"] != refused.value.loaded
    assert refused.value.parts == (part,)
    assert Path(env["AGENT_TERMINATION_LOG"]).read_text() == str(refused.value)
    assert exposed(make_reporter()) == []


def test_data_is_hashed_as_it_is_read(env: dict[str, str]) -> None:
    data = Path(env["AGENT_RELEASE_DATA_DIR"]) / "data" / "faq.json"
    data.write_bytes(b'["another answer"]\n')
    with pytest.raises(ReleaseMismatchError) as refused:
        load_release(env)
    assert refused.value.parts == ("data",)
    assert load_release(env | {"AGENT_RELEASE_DATA_DIR": ""}) is not None, (
        "by reference, as the release names it"
    )


def test_another_promise_is_refused_without_guessing_the_part(env: dict[str, str]) -> None:
    with pytest.raises(ReleaseMismatchError) as refused:
        load_release(env | {"AGENT_RELEASE_DIGEST": OTHER})
    assert refused.value.parts == ()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.json", None, "is the release's ConfigMap mounted there"),
        ("prompts.json", b"{", "prompts.json: expected canonical JSON"),
        ("tools.json", b"[]", "expected an object; got list"),
        ("code.json", b'{"digest":"x","digest":"y"}', "'digest' is given twice"),
        ("code.json", b'{"digest":"latest"}', "expected sha256:"),
        ("data.json", b'{"files":[]}', "files: expected an object; got list"),
    ],
)
def test_what_can_not_be_read_says_so(
    name: str, content: bytes | None, words: str, env: dict[str, str]
) -> None:
    path = Path(env["AGENT_RELEASE_DIR"]) / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(ReleaseError, match=words) as refused:
        load_release(env)
    assert words in Path(env["AGENT_TERMINATION_LOG"]).read_text()
    assert not isinstance(refused.value, ReleaseMismatchError)


def test_data_kept_elsewhere_can_not_be_hashed_here(tmp_path: Path, env: dict[str, str]) -> None:
    path = Path(env["AGENT_RELEASE_DIR"]) / "data.json"
    path.write_bytes(json.dumps({"digest": OTHER, "files": {}, "source": "s3://x"}).encode())
    with pytest.raises(ReleaseError, match="names no files"):
        load_release(env)


def test_no_termination_log_is_made_where_there_is_none(tmp_path: Path, env: dict[str, Any]) -> None:
    log = tmp_path / "elsewhere"
    with pytest.raises(ReleaseMismatchError):
        load_release(env | {"AGENT_TERMINATION_LOG": str(log), "AGENT_RELEASE_DIGEST": OTHER})
    assert not log.exists()
