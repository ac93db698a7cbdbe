from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from agentrollouts.release.artifact import Artifact
from agentrollouts.release.credentials import Credentials
from agentrollouts.release.errors import IntegrityError, RegistryError
from agentrollouts.release.package import package_of
from agentrollouts.release.reference import parse_reference
from agentrollouts.release.registry import Registry
from agentrollouts.release.registry_auth import RegistryAuth, challenge
from agentrollouts.release.source import read_source
from tests.registry.hostile import Answer, hostile
from tests.releases import directory

ADA = Credentials("ada", "s3cret")
BASIC = "Basic YWRhOnMzY3JldA=="
ASKS = {"www-authenticate": 'Basic realm="x"'}


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return read_source(directory(tmp_path / "release"))


def remote(host: str, name: str = "a:1") -> Registry:
    return Registry(parse_reference(f"{host}/{name}"), credentials=ADA)


def test_no_more_is_read_than_a_manifest_may_have() -> None:
    with (
        hostile(lambda *_: Answer(endless=True)) as server,
        remote(server.host) as repository,
        pytest.raises(IntegrityError, match="expected at most 65536 bytes; the registry sends more"),
    ):
        repository.pull()


def test_no_more_is_read_than_a_blob_should_have(artifact: Artifact) -> None:
    package = package_of(artifact)

    def answer(method: str, path: str, authorization: str | None) -> Answer:
        return Answer(body=package.manifest) if "manifests" in path else Answer(endless=True)

    with (
        hostile(answer) as server,
        remote(server.host) as repository,
        pytest.raises(IntegrityError, match=r"expected at most .* bytes; the registry sends more"),
    ):
        repository.pull()


def test_a_digest_gets_nothing_else(artifact: Artifact) -> None:
    package = package_of(artifact)
    with (
        hostile(lambda *_: Answer(body=package.manifest)) as server,
        remote(server.host, f"a@sha256:{'0' * 64}") as repository,
        pytest.raises(IntegrityError, match=f"the manifest: expected sha256:000.*; got {package.digest}"),
    ):
        repository.pull()


def test_a_tag_that_moved_away_from_the_digest_is_refused(artifact: Artifact) -> None:
    package = package_of(artifact)

    def answer(method: str, path: str, authorization: str | None) -> Answer:
        moved = {"docker-content-digest": f"sha256:{'1' * 64}"} if method == "HEAD" else {}
        return Answer(headers=moved, body=b"" if moved else package.manifest)

    with (
        hostile(answer) as server,
        remote(server.host, f"a:1@{package.digest}") as repository,
        pytest.raises(IntegrityError, match="expected the tag 1 to be"),
    ):
        repository.pull()


def test_credentials_are_sent_when_asked_for_and_not_to_where_a_blob_is_redirected(
    artifact: Artifact,
) -> None:
    package = package_of(artifact)

    def store(method: str, path: str, authorization: str | None) -> Answer:
        return Answer(body=package.blobs[path.removeprefix("/")])

    with hostile(store) as elsewhere:

        def answer(method: str, path: str, authorization: str | None) -> Answer:
            if authorization != BASIC:
                return Answer(401, ASKS)
            if "manifests" in path:
                return Answer(body=package.manifest)
            return Answer(307, {"location": f"http://{elsewhere.host}/{path.rpartition('/')[2]}"})

        with hostile(answer) as server, remote(server.host) as repository:
            assert repository.pull() == package
        assert [each.authorization for each in server.seen][:2] == [None, BASIC]
        assert len(elsewhere.seen) == 6
        assert {each.authorization for each in elsewhere.seen} == {None}


def test_a_place_that_a_blob_is_redirected_to_is_not_told_the_password_for_asking() -> None:
    with hostile(lambda *_: Answer(401, ASKS)) as elsewhere:
        moved = Answer(307, {"location": f"http://{elsewhere.host}/x"})
        with (
            hostile(lambda *_: moved) as server,
            remote(server.host) as repository,
            pytest.raises(RegistryError, match="401"),
        ):
            repository.pull()
        assert {each.authorization for each in (*server.seen, *elsewhere.seen)} == {None}


def test_an_upload_to_another_host_goes_without_credentials(artifact: Artifact) -> None:
    with hostile(lambda *_: Answer(201)) as elsewhere:

        def answer(method: str, path: str, authorization: str | None) -> Answer:
            if authorization != BASIC:
                return Answer(401, ASKS)
            status = {"HEAD": 404, "POST": 202}.get(method, 201)
            return Answer(status, {"location": f"http://{elsewhere.host}/upload?state=1"})

        with hostile(answer) as server, remote(server.host) as repository:
            repository.push(package_of(artifact))
        assert {each.authorization for each in elsewhere.seen} == {None}
        assert all(each.path.startswith("/upload?state=1&digest=sha256%3A") for each in elsewhere.seen)


def test_a_registry_that_keeps_something_else_is_found_out(artifact: Artifact) -> None:
    def answer(method: str, path: str, authorization: str | None) -> Answer:
        status = {"HEAD": 404 if "manifests" in path else 200}.get(method, 201)
        return Answer(status, {"docker-content-digest": f"sha256:{'0' * 64}"})

    with (
        hostile(answer) as server,
        remote(server.host) as repository,
        pytest.raises(IntegrityError, match="expected the registry to keep"),
    ):
        repository.push(package_of(artifact))


def test_a_refusal_is_passed_on_in_the_registrys_words() -> None:
    body = b'{"errors":[{"code":"DENIED","message":"no such luck"}]}'
    with (
        hostile(lambda *_: Answer(403, body=body)) as server,
        remote(server.host) as repository,
        pytest.raises(RegistryError, match=r"403 \(DENIED: no such luck\), expected 200; ask for the right"),
    ):
        repository.pull()


@pytest.mark.parametrize("token", [b"{}", b"[]", b"what?", b'{"errors":[]}'])
def test_a_token_server_without_a_token_is_said(token: bytes) -> None:
    with hostile(lambda *_: Answer(body=token)) as tokens:
        asks = {"www-authenticate": f'Bearer realm="http://{tokens.host}/token",service="r"'}
        with (
            hostile(lambda *_: Answer(401, asks)) as server,
            remote(server.host) as repository,
            pytest.raises(RegistryError, match="gave no token"),
        ):
            repository.pull()


def test_a_secure_registry_does_not_get_its_password_sent_in_the_open() -> None:
    flow = RegistryAuth("https://r.io/v2/a/", ADA).auth_flow(httpx.Request("GET", "https://r.io/v2/a/x"))
    next(flow)
    asks = httpx.Response(
        401,
        headers={"www-authenticate": 'Bearer realm="http://r.io/token"'},
        request=httpx.Request("GET", "https://r.io/v2/a/x"),
    )
    with pytest.raises(RegistryError, match="expected HTTPS"):
        flow.send(asks)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            'Bearer realm="https://a/t",service="r",scope="repository:a:pull,push"',
            ("bearer", {"realm": "https://a/t", "service": "r", "scope": "repository:a:pull,push"}),
        ),
        ('BASIC realm=""', ("basic", {"realm": ""})),
        ("", ("", {})),
    ],
)
def test_challenges(header: str, expected: tuple[str, dict[str, str]]) -> None:
    assert challenge(header) == expected
