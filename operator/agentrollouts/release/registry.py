"""Packages in any OCI registry, over its distribution API. The only file of this room that reaches the network.

The Python library for this, oras, writes no ``artifactType`` and reads blobs without bounding them; what a release needs of the API are
seven requests. Nothing is retried: a push that is begun again finds by HEAD what is there already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import httpx

from agentrollouts.release.canonical import sha256
from agentrollouts.release.credentials import Credentials
from agentrollouts.release.errors import IntegrityError, RegistryError
from agentrollouts.release.package import (
    LARGEST_MANIFEST,
    MANIFEST_TYPE,
    Package,
    check_blob,
    read_manifest,
)
from agentrollouts.release.reference import Reference
from agentrollouts.release.registry_auth import RegistryAuth

TIMEOUT = httpx.Timeout(60, connect=10)
"""Seconds."""
_SAID = 300
"""Characters of a registry's own words that are passed on."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push came to."""

    digest: str
    """Of the manifest, as the registry knows it."""
    new_blobs: int
    """How many weren't there before."""


class Registry:
    """One repository of a registry; a context manager."""

    def __init__(
        self, reference: Reference, *, credentials: Credentials | None = None, plain_http: bool = False
    ) -> None:
        self._reference = reference
        scheme = "http" if plain_http or reference.is_loopback else "https"
        self._base = f"{scheme}://{reference.host}/v2/{reference.repository}/"
        self._client = httpx.Client(
            auth=RegistryAuth(self._base, credentials),
            timeout=TIMEOUT,
            headers={"user-agent": "agent-rollouts", "accept-encoding": "identity"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def push(self, package: Package) -> Pushed:
        """Upload what isn't there yet, the manifest last, so that nobody can pull half a release.

        Raises RegistryError, also where the tag is another release's already: a version never changes.
        """
        target = self._reference
        if target.digest and target.digest != package.digest:
            raise RegistryError(
                f"expected to push {target.digest}; the manifest is {package.digest}: leave the digest out"
            )
        held = self._held(target.tag) if target.tag else None
        if held not in (None, package.digest):
            raise RegistryError(
                f"{target} is {held} already, and this release is {package.digest}: give it another version and tag"
            )
        new = sum(self.upload(content) for content in package.blobs.values())
        self.put_manifest(target.tag or package.digest, package.manifest)
        return Pushed(package.digest, new)

    def pull(self) -> Package:
        """The package, each blob held against its digest and size; nothing is read beyond the size that was said."""
        target = self._reference
        manifest = self.read(
            f"manifests/{target.digest or target.tag}", LARGEST_MANIFEST, accept=MANIFEST_TYPE
        )
        if target.digest and sha256(manifest) != target.digest:
            raise IntegrityError(f"the manifest: expected {target.digest}; got {sha256(manifest)}")
        if target.digest and target.tag and (held := self._held(target.tag)) != target.digest:
            raise IntegrityError(
                f"expected the tag {target.tag} to be {target.digest}; it is {held or 'none'}"
            )
        blobs: dict[str, bytes] = {}
        for name, blob in read_manifest(manifest).blobs.items():
            content = self.read(f"blobs/{blob.digest}", blob.size)
            check_blob(name, blob, content)
            blobs[blob.digest] = content
        return Package(manifest, blobs)

    def upload(self, content: bytes) -> bool:
        """Whether the blob had to be uploaded: in one piece, at the place the registry names."""
        digest = sha256(content)
        there = self._send("HEAD", f"blobs/{digest}")
        if there.status_code == 200:
            return False
        self._expect(there, 404)
        begun = self._send("POST", "blobs/uploads/")
        self._expect(begun, 202)
        place = httpx.URL(urljoin(str(begun.url), begun.headers.get("location", "")))
        headers = {"content-type": "application/octet-stream"}
        done = self._send(
            "PUT", str(place.copy_merge_params({"digest": digest})), content=content, headers=headers
        )
        self._expect(done, 201)
        return True

    def put_manifest(self, name: str, content: bytes, media_type: str = MANIFEST_TYPE) -> Mapping[str, str]:
        """Keep a manifest under a tag or its digest; the headers of the answer. What it names has to be there."""
        answer = self._send("PUT", f"manifests/{name}", content=content, headers={"content-type": media_type})
        self._expect(answer, 201)
        known = answer.headers.get("docker-content-digest", sha256(content))
        if known != sha256(content):
            raise IntegrityError(f"expected the registry to keep {sha256(content)}; it answered {known}")
        return answer.headers

    def _held(self, tag: str) -> str | None:
        """The digest of the manifest a tag stands for."""
        answer = self._send("HEAD", f"manifests/{tag}", headers={"accept": MANIFEST_TYPE})
        if answer.status_code == 404:
            return None
        self._expect(answer, 200)
        return answer.headers.get("docker-content-digest") or sha256(
            self.read(f"manifests/{tag}", LARGEST_MANIFEST, accept=MANIFEST_TYPE)
        )

    def read(self, path: str, most: int, *, accept: str = "*/*") -> bytes:
        """At most ``most`` bytes; blobs may be redirected to another host, which gets no credentials."""
        content = self.find(path, most, accept=accept, missing=False)
        assert content is not None
        return content

    def find(self, path: str, most: int, *, accept: str = "*/*", missing: bool = True) -> bytes | None:
        """As :meth:`read`; None where there is nothing, unless that is no good."""
        url = self._base + path
        content = bytearray()
        try:
            with self._client.stream("GET", url, headers={"accept": accept}, follow_redirects=True) as answer:
                if answer.status_code == 404 and missing:
                    return None
                if answer.status_code != 200:
                    answer.read()
                    self._expect(answer, 200)
                for piece in answer.iter_raw():
                    content += piece
                    if len(content) > most:
                        raise IntegrityError(
                            f"{path}: expected at most {most} bytes; the registry sends more"
                        )
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return bytes(content)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._client.request(method, urljoin(self._base, path), **request)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.HTTPError) -> RegistryError:
        return RegistryError(
            f"can't reach {self._reference.host} ({error or type(error).__name__}); is the name right, and does it speak"
            f" {httpx.URL(self._base).scheme.upper()}?"
        )

    def _expect(self, answer: httpx.Response, status: int) -> None:
        """Raises RegistryError with the registry's own words."""
        seen = answer.status_code
        if seen == status:
            return
        asked = f"{answer.request.method} {answer.request.url.path}"
        hints = {
            401: f"; log in with `docker login {self._reference.host}` or `podman login`",
            403: "; ask for the right to do so",
            404: "; check the repository, the tag and your rights",
        }
        said = _said(answer)
        raise RegistryError(
            f"{self._reference.host} answered {asked} with {seen}{f' ({said})' if said else ''}, expected {status}{hints.get(seen, '')}"
        )


def _said(answer: httpx.Response) -> str:
    """The codes and messages of an error answer, if they are in the form the specification gives."""
    try:
        errors = answer.json()["errors"]
        text = "; ".join(f"{each['code']}: {each.get('message', '')}" for each in errors)
    except (ValueError, KeyError, TypeError):
        return ""
    return text[:_SAID]
