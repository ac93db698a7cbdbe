from __future__ import annotations

import base64
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from agentrollouts.release.artifact import Artifact
from agentrollouts.release.attestation import Named, SignatureError, check, sign, statement, unchecked
from agentrollouts.release.canonical import canonical
from agentrollouts.release.errors import ReleaseError
from agentrollouts.release.source import read_source
from tests.keys import private, public
from tests.registry.server import Server
from tests.releases import directory
from tests.unit.cli.runs import refused, run

OURS, THEIRS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return read_source(directory(tmp_path / "release"))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for name, key in (("ours", OURS), ("theirs", THEIRS)):
        (tmp_path / f"{name}.pem").write_bytes(private(key))
        (tmp_path / f"{name}.pub").write_bytes(public(key))
    return tmp_path


def envelope_of(payload: bytes, payload_type: str = "application/vnd.in-toto+json") -> bytes:
    """An envelope that our key really signed, around any payload."""
    made = json.loads(sign(payload, private(OURS)))
    pae = b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type.encode(), len(payload), payload)
    made["payloadType"] = payload_type
    made["signatures"][0]["sig"] = base64.b64encode(OURS.sign(pae)).decode()
    return canonical(made)


def test_a_statement_is_in_toto_and_dsse_as_they_are_specified(artifact: Artifact) -> None:
    made = json.loads(sign(statement(artifact, "eval", {"passed": 41}), private(OURS)))
    payload = base64.b64decode(made["payload"])
    assert made["payloadType"] == "application/vnd.in-toto+json"
    assert json.loads(payload) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "support-2.1.0", "digest": {"sha256": artifact.digest.removeprefix("sha256:")}}],
        "predicateType": "https://agentrollouts.io/attestations/eval/v1",
        "predicate": {"passed": 41},
    }
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    OURS.public_key().verify(base64.b64decode(made["signatures"][0]["sig"]), pae)


def test_what_was_signed_is_checked(artifact: Artifact) -> None:
    found = check(sign(statement(artifact, "eval", {"passed": 41}), private(OURS)), artifact, public(OURS))
    assert (found.claim, found.predicate) == ("eval", {"passed": 41})


def test_another_key_another_release_and_another_version_are_refused(
    artifact: Artifact, tmp_path: Path
) -> None:
    envelope = sign(statement(artifact, "build", {}), private(OURS))
    with pytest.raises(SignatureError, match="there is none that holds"):
        check(envelope, artifact, public(THEIRS))
    other = read_source(directory(tmp_path / "other", tools=[]))
    for wrong in (other, replace(artifact, version="9.9.9"), replace(artifact, agent="sales")):
        with pytest.raises(SignatureError, match="expected a statement about"):
            check(envelope, wrong, public(OURS))


def test_a_signature_moved_to_another_payload_or_key_id_is_refused(
    artifact: Artifact, tmp_path: Path
) -> None:
    other = read_source(directory(tmp_path / "other", tools=[]))
    envelope = json.loads(sign(statement(artifact, "build", {}), private(OURS)))
    forged = json.loads(sign(statement(other, "build", {}), private(THEIRS)))
    with pytest.raises(SignatureError, match="none that holds"):
        check(canonical({**forged, "signatures": envelope["signatures"]}), other, public(OURS))
    forged["signatures"][0]["keyid"] = envelope["signatures"][0]["keyid"]
    with pytest.raises(SignatureError, match="none that holds"):
        check(canonical(forged), other, public(OURS))


def test_an_envelope_without_signatures_is_refused(artifact: Artifact) -> None:
    envelope = json.loads(sign(statement(artifact, "build", {}), private(OURS)))
    with pytest.raises(SignatureError, match="none that holds"):
        check(canonical({**envelope, "signatures": []}), artifact, public(OURS))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"payload":1}', b"\xff"])
def test_what_is_no_envelope_is_refused(artifact: Artifact, content: bytes) -> None:
    with pytest.raises(SignatureError, match="expected a DSSE envelope"):
        check(content, artifact, public(OURS))


def test_a_signed_payload_of_another_kind_is_refused(artifact: Artifact) -> None:
    good = json.loads(statement(artifact, "build", {}))
    check(envelope_of(canonical(good)), artifact, public(OURS))
    for changed, said in (
        (envelope_of(canonical(good), "text/plain"), "expected the payload type"),
        (envelope_of(canonical({**good, "_type": "x"})), "expected a statement of the type"),
        (envelope_of(canonical([good])), "expected a statement of the type"),
        (
            envelope_of(canonical({**good, "predicateType": "https://slsa.dev/provenance/v1"})),
            "predicateType",
        ),
        (envelope_of(json.dumps(good).encode()), "around a canonical statement"),
        (envelope_of(b"\xff"), "around a canonical statement"),
        (envelope_of(canonical({**good, "predicate": "PASS"})), "expected a predicate that is a JSON object"),
        (
            envelope_of(canonical({**good, "subject": [*good["subject"], {"name": "x", "digest": {}}]})),
            "expected a statement about",
        ),
    ):
        with pytest.raises(SignatureError, match=said):
            check(changed, artifact, public(OURS))


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        (b"", "as PEM, without a password"),
        (public(OURS), "as PEM, without a password"),
        (
            OURS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
            "as PEM, without a password",
        ),
        (
            generate_private_key(SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            "expected an Ed25519 private key; got",
        ),
    ],
)
def test_a_key_of_another_kind_is_refused(artifact: Artifact, pem: bytes, said: str) -> None:
    with pytest.raises(ReleaseError, match=said):
        sign(statement(artifact, "build", {}), pem)


@pytest.mark.parametrize("claim", ["eval", "replay"])
@pytest.mark.parametrize("verdict", ["FAIL", "INVALID", "fail", "", 1, None])
def test_a_verdict_that_is_no_pass_vouches_for_nothing_whoever_signs_it(
    artifact: Artifact, claim: str, verdict: object
) -> None:
    envelope = sign(statement(artifact, claim, {"verdict": verdict}), private(OURS))
    with pytest.raises(SignatureError, match="expected a statement about a PASS"):
        check(envelope, artifact, public(OURS))


@pytest.mark.parametrize(
    ("claim", "predicate"),
    [("eval", {"verdict": "PASS"}), ("replay", {"verdict": "pass"}), ("approval", {"verdict": "granted"})],
)
def test_a_pass_vouches_and_other_claims_have_no_verdict(
    artifact: Artifact, claim: str, predicate: dict[str, str]
) -> None:
    found = check(sign(statement(artifact, claim, predicate), private(OURS)), artifact, public(OURS))
    assert (found.claim, found.predicate) == (claim, predicate)


def test_who_hands_an_envelope_on_sees_what_it_says_of_itself(artifact: Artifact) -> None:
    said = statement(artifact, "eval", {})
    envelope = sign(said, private(OURS))
    found = unchecked(envelope, artifact)
    assert (found.statement, found.claim) == (said, "eval")
    assert found.key_id == check(envelope, artifact, public(OURS)).key_id
    with pytest.raises(SignatureError, match="expected a statement about support-9"):
        unchecked(envelope, Named("support-9.9.9", artifact.digest))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"payload":"!","signatures":[{"keyid":"a"}]}', b'{"payload":"e30="}']
)
def test_what_is_no_envelope_is_not_handed_on(artifact: Artifact, content: bytes) -> None:
    with pytest.raises(SignatureError, match="expected a DSSE envelope"):
        unchecked(content, artifact)


def test_a_predicate_without_a_canonical_form_is_refused(artifact: Artifact) -> None:
    with pytest.raises(ReleaseError, match=r"the predicate: \$\.predicate\.rate: expected an integer"):
        statement(artifact, "eval", {"rate": 0.5})


def test_openssls_keys_do(keys: Path, artifact: Artifact) -> None:
    key, pub = keys / "openssl.pem", keys / "openssl.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", pub], check=True)
    envelope = sign(statement(artifact, "build", {}), key.read_bytes())
    assert check(envelope, artifact, pub.read_bytes()).claim == "build"


def test_signed_and_verified_by_file(keys: Path, artifact: Artifact) -> None:
    source, envelope = str(keys / "release"), keys / "build.json"
    envelope.write_text(run("release", "sign", source, "--key", str(keys / "ours.pem")).stdout)
    good = ("release", "verify", source, "--attestation", str(envelope), "--key")
    assert run(*good, str(keys / "ours.pub")).stdout.strip() == artifact.digest
    assert "none of 1 is one" in str(refused(*good, str(keys / "theirs.pub")))
    assert "it claims build" in str(refused(*good, str(keys / "ours.pub"), "--claim", "approval"))
    assert "--attestation needs --key" in str(refused(*good[:-1]))


def test_signed_and_verified_beside_the_release_in_a_registry(
    registry: Server, keys: Path, artifact: Artifact
) -> None:
    source, target = str(keys / "release"), registry.reference("signed:2.1.0")
    ours, theirs = str(keys / "ours.pem"), str(keys / "theirs.pem")
    verify = ("release", "verify", target, "--key", str(keys / "ours.pub"))
    assert "404" in str(refused("release", "sign", source, "--key", ours, "--attach", target))
    run("release", "push", source, target)
    assert "none of 0 is one" in str(refused(*verify))
    assert run("release", "sign", source, "--key", theirs, "--attach", target).exit_code == 0
    assert "none of 1 is one" in str(refused(*verify))
    predicate = keys / "predicate.json"
    predicate.write_text('{"cases": 40}')
    for claim in ("eval", "build", "build"):
        attached = run(
            "release", "sign", target, "--key", ours, "--attach", target, "--claim", claim,
            "--predicate", str(predicate),
        )  # fmt: skip
        assert attached.exit_code == 0
    for claim in ("build", "eval"):
        assert run(*verify, "--claim", claim).stdout.strip() == artifact.digest
    assert "none of 3 is one" in str(refused(*verify, "--claim", "approval"))


def test_attaching_to_another_release_is_refused(registry: Server, keys: Path, artifact: Artifact) -> None:
    target = registry.reference("another:2.1.0")
    run("release", "push", str(keys / "release"), target)
    other = str(directory(keys / "other", tools=[]))
    said = refused("release", "sign", other, "--key", str(keys / "ours.pem"), "--attach", target)
    assert "to be this release; push it first" in str(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [("[]", "expected a JSON object; got list"), ('{"a":0.5}', r"\$\.a: expected an integer")],
)
def test_a_predicate_file_is_an_object_without_fractions(
    keys: Path, artifact: Artifact, content: str, said: str
) -> None:
    (keys / "p.json").write_text(content)
    error = refused(
        "release",
        "sign",
        str(keys / "release"),
        "--key",
        str(keys / "ours.pem"),
        "--predicate",
        str(keys / "p.json"),
    )
    assert re.search(said, str(error))
    assert str(error).startswith(str(keys / "p.json"))
