from __future__ import annotations

import pytest

from agentrollouts.release.errors import ReleaseError
from agentrollouts.release.reference import parse_reference

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag", "digest"),
    [
        ("registry.example.com/a/b-c/d__e:2.1.0", "registry.example.com", "a/b-c/d__e", "2.1.0", ""),
        ("oci://localhost/a:1", "localhost", "a", "1", ""),
        ("r:5000/a:1", "r:5000", "a", "1", ""),
        (f"[::1]:5000/a@{DIGEST}", "[::1]:5000", "a", "", DIGEST),
        (f"r.io/a:1@{DIGEST}", "r.io", "a", "1", DIGEST),
    ],
)
def test_references(text: str, host: str, repository: str, tag: str, digest: str) -> None:
    found = parse_reference(text)
    assert (found.host, found.repository, found.tag, found.digest) == (host, repository, tag, digest)
    assert str(found) == text.removeprefix("oci://")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("support:2.1.0", "registry first; got"),
        ("agents/support:2.1.0", "registry first; got"),
        ("r.io/Support:1", "registry first; got"),
        ("r.io/a/../b:1", "registry first; got"),
        ("r.io/a:", "registry first; got"),
        ("r.io/a?x=1:1", "registry first; got"),
        ("r.io@evil.io/a:1", "registry first; got"),
        ("r.io/a@sha256:abc", "registry first; got"),
        ("r.io/a", "expected a tag or a digest after r.io/a, such as r.io/a:2.1.0"),
    ],
)
def test_what_is_no_reference_is_refused(text: str, said: str) -> None:
    with pytest.raises(ReleaseError, match=said):
        parse_reference(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("[::1]:80", True),
        ("localhost.evil.io", False),
        ("127.0.0.1.evil.io:80", False),
        ("r.io", False),
    ],
)
def test_plain_http_is_for_this_machine(host: str, loopback: bool) -> None:
    assert parse_reference(f"{host}/a:1").is_loopback is loopback
