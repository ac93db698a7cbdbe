from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentrollouts.api.scalars import short_digest
from agentrollouts.api.verification import Verify
from agentrollouts.cli.manifests import lint_text
from agentrollouts.core.verification import Vouched
from agentrollouts.release.source import read_source
from agentrollouts.runtime.statements import statement, vouched
from tests import keys
from tests.releases import directory, tool
from tests.unit.cli.runs import refused, run


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(directory(tmp_path / "release"))


@pytest.fixture
def other(tmp_path: Path) -> str:
    return str(
        directory(tmp_path / "other", version="2.2.0", tools=[tool(), tool("refund", sideEffects="unsafe")])
    )


def test_build_prints_an_agent_version_that_lint_takes_once_it_has_pods(source: str, tmp_path: Path) -> None:
    built = run("release", "build", source, "-o", str(tmp_path / "layout"))
    assert built.stderr.strip() == read_source(Path(source)).digest
    manifest = yaml.safe_load(built.stdout)
    manifest["spec"]["deploymentRef"] = {"name": "support"}
    assert lint_text(yaml.safe_dump(manifest)).findings == ()
    assert run("release", "build", source).stdout == built.stdout


def test_verify_takes_every_form_of_a_release(source: str, tmp_path: Path) -> None:
    layout, configmap, version = tmp_path / "layout", tmp_path / "cm.yaml", tmp_path / "version.yaml"
    version.write_text(run("release", "build", source, "-o", str(layout)).stdout)
    configmap.write_text(run("release", "configmap", str(layout)).stdout)
    digest = read_source(Path(source)).digest
    for what in (source, str(layout), str(configmap)):
        for against in (source, str(layout), str(configmap), str(version)):
            assert run("release", "verify", what, "--against", against).stdout.strip() == digest


def test_verify_says_which_part_differs(source: str, other: str, tmp_path: Path) -> None:
    version = tmp_path / "version.yaml"
    version.write_text(run("release", "build", other).stdout)
    for against in (other, str(version)):
        said = str(refused("release", "verify", source, "--against", against))
        assert said.startswith("part tools: expected sha256:")
        assert "\n" not in said


def test_verify_finds_a_damaged_layout(source: str, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    run("release", "build", source, "-o", str(layout))
    artifact = read_source(Path(source))
    blob = layout / "blobs" / "sha256" / artifact.parts["tools"].removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes() + b"\n")
    assert str(refused("release", "verify", str(layout))).startswith("part tools: expected")


def test_diff_as_text_and_as_json(source: str, other: str) -> None:
    text = run("diff", source, other).stdout
    assert "! tools: refund: new: unsafe, may orders:read" in text
    assert run("release", "diff", source, other).stdout == text
    found = json.loads(run("diff", source, other, "-o", "json").stdout)
    assert [(each["part"], each["subject"], each["grants"]) for each in found["changes"]] == [
        ("tools", "refund", True)
    ]
    short = run("diff", source, other, "--limit", "300").stdout
    assert len(short.encode()) <= 300
    assert short.endswith(" left out\n")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nothing", "expected a release directory, an OCI layout, a ConfigMap's YAML file or a reference"),
        ("./no/such:1", "there is no ./no/such:1 here"),
        ("no/such:1", "registry first; got 'no/such:1'"),
        (".", "expected a release directory (with release.yaml) or an OCI layout; . is neither"),
    ],
)
def test_what_is_no_release_is_said(
    what: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in str(refused("release", "verify", what))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Secret\n", "expected one ConfigMap in FILE; got 0"),
        ("kind: ConfigMap\n---\nkind: ConfigMap\n", "expected one ConfigMap in FILE; got 2"),
        ("kind: ConfigMap\ndata: {}\n", "expected a ConfigMap with the keys"),
        ("[", "FILE: expected YAML"),
    ],
)
def test_a_file_without_a_release_is_said(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    assert said.replace("FILE", str(path)) in str(refused("release", "verify", str(path)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: AgentVersion\n", "spec.release isn't one"),
        ("kind: AgentVersion\n---\nkind: AgentVersion\n", "expected one AgentVersion in FILE; got 2"),
    ],
)
def test_an_agent_version_to_verify_against_must_be_one(
    text: str, said: str, source: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    error = refused("release", "verify", source, "--against", str(path))
    assert said.replace("FILE", str(path)) in str(error)


def test_errors_of_a_release_directory_are_sentences(source: str) -> None:
    (Path(source) / "release.yaml").write_text("agent: support\n")
    said = str(refused("release", "build", source))
    assert f"{source}/release.yaml: version: is missing" in said
    assert f"{source}/release.yaml: prompts: is missing" in said


def test_a_statement_as_a_configmap_is_what_the_operator_reads(source: str, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    secret, public = tmp_path / "key.pem", tmp_path / "key.pub"
    secret.write_bytes(keys.private(key))
    public.write_bytes(keys.public(key))
    made = run("release", "sign", source, "--key", str(secret), "--claim", "eval", "--configmap")
    configmap = yaml.safe_load(made.stdout)
    artifact = read_source(Path(source))
    assert configmap["immutable"] is True
    assert configmap["metadata"]["name"].startswith(f"support-2.1.0-{short_digest(artifact.digest)}-eval-")
    verify = Verify.model_validate(
        {"keys": [{"name": "evals", "publicKey": public.read_text()}], "require": ["eval"]}
    )
    assert vouched([statement(configmap)], artifact, verify) == (Vouched("eval", "evals"),)
    envelope = tmp_path / "eval.json"
    envelope.write_text(configmap["data"]["eval.json"])
    checked = run(
        "release", "verify", source, "--key", str(public), "--claim", "eval", "--attestation", str(envelope)
    )
    assert checked.stdout.strip() == artifact.digest
