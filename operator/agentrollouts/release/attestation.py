"""Statements about a release, signed with a local key: in-toto Statement v1 in a DSSE envelope, made and checked offline.

A statement names the artifact by its digest and by agent and version, because the digest doesn't cover those two: a signature for 2.1.0
doesn't vouch for the same parts under another number. Needs the extra ``signing``, which is imported when it is used.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from agentrollouts.release.canonical import CanonicalError, canonical, parse, read_json
from agentrollouts.release.errors import IntegrityError, ReleaseError

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_CLAIMS, _CLAIM_VERSION = "https://agentrollouts.io/attestations/", "/v1"
LARGEST_ENVELOPE = 1024 * 1024
"""Bytes."""
_JUDGED = ("eval", "replay")
"""Claims that a verdict stands behind."""


class SignatureError(IntegrityError):
    """No signature of the right key for the right release."""


class Subject(Protocol):
    """What a statement is about: an artifact, or what is known of one."""

    @property
    def name(self) -> str:
        """Agent and version."""

    @property
    def digest(self) -> str:
        """The artifact digest."""


@dataclass(frozen=True, slots=True)
class Named:
    """An artifact by its name and digest alone."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Attestation:
    """A statement that was checked: the claim (build, eval, replay or approval), what it says, and the id of the key that vouches for it."""

    claim: str
    predicate: Mapping[str, Any]
    key_id: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What an envelope holds and says of itself: the statement's bytes, its claim, and the id of the key that it names."""

    statement: bytes
    claim: str
    key_id: str


def predicate_type(claim: str) -> str:
    """The URI of a claim."""
    return f"{_CLAIMS}{claim}{_CLAIM_VERSION}"


def statement(artifact: Subject, claim: str, predicate: Mapping[str, Any]) -> bytes:
    """The in-toto statement, canonical. Raises ReleaseError where the predicate has no canonical form."""
    try:
        return canonical(
            {
                "_type": STATEMENT_TYPE,
                "subject": _subject(artifact),
                "predicateType": predicate_type(claim),
                "predicate": dict(predicate),
            }
        )
    except CanonicalError as error:
        raise ReleaseError(f"the predicate: {error}") from error


def sign(payload: bytes, private_key: bytes) -> bytes:
    """The DSSE envelope of a statement. Raises as :func:`signer` does."""
    return signer(private_key)(payload)


def signer(private_key: bytes) -> Callable[[bytes], bytes]:
    """From statements to their DSSE envelopes; the key is PEM without a password, as ``openssl genpkey`` makes it.

    Apart from signing, so that whoever signs at the end of long work knows at its beginning that the key is one.
    Raises ReleaseError where it is no such key or the extra ``signing`` is missing.
    """
    _require_extra()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    try:
        key = load_pem_private_key(private_key, password=None)
    except (ValueError, TypeError) as error:
        raise ReleaseError(f"expected an Ed25519 private key as PEM, without a password; {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ReleaseError(f"expected an Ed25519 private key; got {type(key).__name__}")
    with_key = CryptoSigner(key)

    def signed(payload: bytes) -> bytes:
        envelope = Envelope(payload, PAYLOAD_TYPE, {})
        envelope.sign(with_key)
        return canonical(envelope.to_dict())

    return signed


def check(envelope: bytes, artifact: Subject, public_key: bytes) -> Attestation:
    """What an envelope vouches for, once it is sure that this key signed it and that it is about this release.

    A signature says that somebody said it, not that it went well. Our own Jobs sign nothing but a PASS, because most who check
    signatures, ours and others', go by the claim alone. An image of one's own may sign what it likes; so a statement about an eval or
    a replay whose predicate gives a ``verdict`` vouches only with PASS. One that gives none is its signer's word, as a build's is.

    Raises:
        SignatureError: another key, another release, not what was signed, or a verdict that is no PASS.
        ReleaseError: the key is no Ed25519 public key as PEM, or the extra ``signing`` is missing.
    """
    key = _public(public_key)
    claim, predicate = _about(_payload(envelope, key), artifact)
    verdict = predicate.get("verdict", "PASS")
    if claim in _JUDGED and str(verdict).upper() != "PASS":
        raise SignatureError(f"expected a statement about a PASS; its verdict is {verdict}")
    return Attestation(claim, predicate, key.keyid)


def unchecked(envelope: bytes, artifact: Subject) -> Unchecked:
    """What an envelope says about this release, whoever signed it: for those who hand it on, never for those who go by it.

    Raises SignatureError where it is no envelope, or about something else.
    """
    try:
        found = read_json(envelope)
        statement = base64.b64decode(found["payload"], validate=True)
        key_id = str(found["signatures"][0]["keyid"])
        said = parse(statement)
    except (CanonicalError, ValueError, KeyError, TypeError, IndexError) as error:
        raise SignatureError(f"expected a DSSE envelope around a canonical statement; {error}") from error
    return Unchecked(statement, _about(said, artifact)[0], key_id)


def _about(said: Any, artifact: Subject) -> tuple[str, Mapping[str, Any]]:
    """Claim and predicate of a statement about this release."""
    if not isinstance(said, dict) or said.get("_type") != STATEMENT_TYPE:
        raise SignatureError(f"expected a statement of the type {STATEMENT_TYPE}; got another")
    if said.get("subject") != _subject(artifact):
        raise SignatureError(
            f"expected a statement about {_subject(artifact)[0]['name']} {artifact.digest}; it is about {said.get('subject')}"
        )
    claim = str(said.get("predicateType")).removeprefix(_CLAIMS).removesuffix(_CLAIM_VERSION)
    if said.get("predicateType") != predicate_type(claim):
        raise SignatureError(f"expected a predicateType such as {predicate_type('build')}; got {claim}")
    predicate = said.get("predicate") or {}
    if not isinstance(predicate, dict):
        raise SignatureError(f"expected a predicate that is a JSON object; got {type(predicate).__name__}")
    return claim, predicate


def _payload(content: bytes, key: SSlibKey) -> Any:
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    try:
        envelope = Envelope.from_dict(read_json(content))
        if envelope.payload_type != PAYLOAD_TYPE:
            raise SignatureError(f"expected the payload type {PAYLOAD_TYPE}; got {envelope.payload_type!r}")
        envelope.verify([key], 1)
        # NB: only now may the payload be read.
        return parse(envelope.payload)
    except VerificationError as error:
        raise SignatureError(
            f"expected a signature of the key {key.keyid}; there is none that holds"
        ) from error
    except (CanonicalError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SignatureError(f"expected a DSSE envelope around a canonical statement; {error}") from error


def _public(pem: bytes) -> SSlibKey:
    _require_extra()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise ReleaseError(f"expected an Ed25519 public key as PEM; {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ReleaseError(f"expected an Ed25519 public key; got {type(key).__name__}")
    return SSlibKey.from_crypto(key)


def _subject(artifact: Subject) -> list[dict[str, Any]]:
    return [{"name": artifact.name, "digest": {"sha256": artifact.digest.removeprefix("sha256:")}}]


def _require_extra() -> None:
    try:
        import cryptography
        import securesystemslib
    except ImportError as error:
        raise ReleaseError(
            "signing needs the extra `signing`: pip install 'agent-rollouts[cli,signing]'"
        ) from error
    assert cryptography and securesystemslib
