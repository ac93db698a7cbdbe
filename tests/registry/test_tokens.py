"""Token authentication: the registry checks signatures itself, so only a right answer gets in."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentrollouts.release.credentials import Credentials
from agentrollouts.release.errors import RegistryError
from agentrollouts.release.package import package_of
from agentrollouts.release.reference import parse_reference
from agentrollouts.release.registry import Registry
from agentrollouts.release.source import read_source
from tests.registry.hostile import Answer, Hostile, hostile
from tests.registry.server import Server, running
from tests.releases import directory

KEY = Ed25519PrivateKey.generate()
ADA = Credentials("ada", "s3cret")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(scopes: list[str]) -> str:
    access = [
        {"type": kind, "name": name, "actions": actions.split(",")}
        for kind, name, actions in (scope.split(":") for scope in scopes)
    ]
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": "issuer", "sub": "ada", "aud": "service", "exp": now + 300, "nbf": now - 60, "iat": now,
        "jti": "1", "access": access,
    }  # fmt: skip
    head = b64(json.dumps({"alg": "EdDSA", "typ": "JWT", "kid": "test"}).encode())
    body = f"{head}.{b64(json.dumps(claims).encode())}"
    return f"{body}.{b64(KEY.sign(body.encode()))}"


def issue(method: str, path: str, authorization: str | None) -> Answer:
    """The token server: everybody may pull, ada may push."""
    given = parse_qs(urlsplit(path).query)
    may = [
        scope
        for scope in given.get("scope", [])
        if authorization == "Basic YWRhOnMzY3JldA==" or scope.endswith(":pull")
    ]
    return Answer(body=json.dumps({"token": token(may)}).encode())


@pytest.fixture(scope="module")
def tokens() -> Iterator[Hostile]:
    with hostile(issue) as server:
        yield server


@pytest.fixture(scope="module")
def registry(tokens: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("token-registry")
    jwks = folder / "jwks.json"
    public = b64(KEY.public_key().public_bytes_raw())
    jwks.write_text(
        json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": public, "kid": "test", "alg": "EdDSA"}]})
    )
    auth = {
        "realm": f"http://{tokens.host}/token",
        "service": "service",
        "issuer": "issuer",
        "jwks": str(jwks),
        "signingalgorithms": ["EdDSA"],
    }
    with running(folder, auth={"token": auth}) as server:
        yield server


def test_a_token_is_fetched_for_what_is_done(registry: Server, tokens: Hostile, tmp_path: Path) -> None:
    package = package_of(read_source(directory(tmp_path)))
    reference = parse_reference(registry.reference("tokens:1"))
    with Registry(reference, credentials=ADA) as repository:
        repository.push(package)
    asked = [parse_qs(urlsplit(each.path).query) for each in tokens.seen]
    assert {each["service"][0] for each in asked} == {"service"}
    scopes = [each["scope"][0].split(":") for each in asked]
    assert [set(actions.split(",")) for _, name, actions in scopes if name == "tokens"] == [
        {"pull"},
        {"pull", "push"},
    ]
    with Registry(reference) as repository:
        assert repository.pull() == package


def test_who_may_not_push_is_told(registry: Server, tmp_path: Path) -> None:
    package = package_of(read_source(directory(tmp_path)))
    with (
        Registry(parse_reference(registry.reference("closed:1"))) as repository,
        pytest.raises(RegistryError, match=r"with 401 .*docker login"),
    ):
        repository.push(package)
