"""Where notices may go: the files of one Secret, mounted into the operator.

``spec.notify`` names a destination, and only the cluster's administrator says what is behind the name. So the operator
needs no right to read Secrets, whoever writes a Rollout can't make it call a URL of their own, and a URL with a token in it
is in nobody's spec. For a destination ``oncall`` the Secret has the entries

- ``oncall``: the URL;
- ``oncall.signing-key``: ``whsec_`` and 24 to 64 bytes in base64, to sign what a webhook gets;
- ``oncall.authorization``: the Authorization header a webhook gets, such as ``Bearer …``;
- ``oncall.namespaces``: the namespaces whose Rollouts may use it, separated by spaces, commas or lines; all without it.

They are read anew for each try: the kubelet brings changes of the Secret, and nothing has to restart.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path

import httpx

PREFIX = "whsec_"
LARGEST = 4096
"""Bytes of one entry."""
SHOWN = 10
"""Names that are told to somebody who has named another."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


@dataclass(frozen=True, slots=True)
class Destination:
    """Whom to call. Nothing of it but the host is ever shown."""

    url: httpx.URL
    key: bytes = field(default=b"", repr=False)
    authorization: str = field(default="", repr=False)


class DestinationError(Exception):
    """It can't be used as it is; the message says why, without saying what is secret."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """The mounted Secret. ``folder`` None: there is none, so nothing leaves the cluster."""

    folder: Path | None = None

    def find(self, name: str, *, namespace: str) -> Destination:
        """The destination, for a Rollout of that namespace. Blocks for as long as a few small files take.

        Raises:
            DestinationError: there is none of that name, it isn't for that namespace, or it can't be read.
        """
        if self.folder is None:
            raise DestinationError(
                "the operator was installed without destinations; set notifiers.secretName"
            )
        # NB: the name is checked where a Rollout is admitted, and here again, because it becomes part of a path.
        url = self._entry(name) if _NAME.fullmatch(name) else ""
        if not url:
            raise DestinationError(
                f"there is no destination {name}; the operator's Secret has {self._names(namespace)}"
            )
        allowed = self._entry(f"{name}.namespaces")
        if allowed and namespace not in re.split(r"[\s,]+", allowed):
            raise DestinationError(f"destination {name} is not for namespace {namespace}")
        return Destination(
            _url(name, url), _key(name, self._entry(f"{name}.signing-key")), self._header(name)
        )

    def _header(self, name: str) -> str:
        text = self._entry(f"{name}.authorization")
        if not text.isascii() or not text.isprintable():
            raise DestinationError(f"{name}.authorization must be one line of printable ASCII")
        return text

    def _entry(self, name: str) -> str:
        """The text of an entry without the space around it; empty where there is none."""
        assert self.folder is not None
        try:
            with (self.folder / name).open("rb") as file:
                raw = file.read(LARGEST + 1)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise DestinationError(f"entry {name} can't be read: {error.strerror}") from error
        if len(raw) > LARGEST:
            raise DestinationError(f"entry {name} is longer than {LARGEST} bytes")
        return raw.decode("utf-8", "replace").strip()

    def _names(self, namespace: str) -> str:
        """What could be meant, of what that namespace may use."""
        assert self.folder is not None
        try:
            found = sorted(path.name for path in self.folder.iterdir())
        except OSError:
            found = []
        names = [name for name in found if _NAME.fullmatch(name) and self._entry(name)]
        allowed = ((name, self._entry(f"{name}.namespaces")) for name in names)
        usable = [name for name, spaces in allowed if not spaces or namespace in re.split(r"[\s,]+", spaces)]
        return ", ".join(usable[:SHOWN]) or "none"


def _url(name: str, text: str) -> httpx.URL:
    wanted = f"destination {name}: expected an http or https URL with a host and without a user"
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise DestinationError(f"{wanted}; got what is no URL") from None
    named = _HOST.fullmatch(url.raw_host.decode("ascii"))
    if url.scheme not in ("http", "https") or not named or url.userinfo:
        raise DestinationError(f"{wanted}; got scheme {url.scheme[:16] or 'none'!r}")
    return url


def _key(name: str, text: str) -> bytes:
    if not text:
        return b""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise DestinationError(
            f"{name}.signing-key: expected {PREFIX} and 24 to 64 bytes in base64, as of"
            f' echo "{PREFIX}$(openssl rand -base64 32)"'
        )
    return key
