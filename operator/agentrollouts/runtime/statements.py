"""Signed statements about releases, from ConfigMaps to what the core may count on. Proof is the signature, not who made the ConfigMap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from agentrollouts.api.verification import Verify
from agentrollouts.core.evidence import Unavailable
from agentrollouts.core.verification import Statements, Vouched
from agentrollouts.release.attestation import Named, SignatureError, Subject, check
from agentrollouts.release.errors import ReleaseError
from agentrollouts.release.statement_map import ATTESTS
from agentrollouts.runtime.views import Meta, Raw, meta_of

MOST = 64
"""Statements about one artifact that are looked at, in the order of their ConfigMaps' names."""
LARGEST = 64 * 1024
"""Bytes of one; ours have about one thousand."""


@dataclass(frozen=True, slots=True)
class StatementObject:
    """A ConfigMap that says it holds statements about an artifact."""

    meta: Meta
    artifact: str
    """The short digest in its label: which versions to look at again, no more."""
    envelopes: tuple[bytes, ...] = ()


def statement(raw: Raw, before: StatementObject | None = None) -> StatementObject:
    """A ConfigMap; values that are too large are left out, as if they weren't there."""
    data = raw.get("data")
    values = [str(data[name]).encode() for name in sorted(data)] if isinstance(data, dict) else []
    return StatementObject(
        meta=meta_of(raw),
        artifact=str((raw["metadata"].get("labels") or {}).get(ATTESTS, "")),
        envelopes=tuple(value for value in values if len(value) <= LARGEST)[:MOST],
    )


def vouched(found: Iterable[StatementObject], about: Subject, verify: Verify | None) -> Statements:
    """Every claim about a version that one of the keys has signed; none where nothing is asked for."""
    if verify is None:
        return ()
    ordered = sorted(found, key=lambda item: item.meta.place)
    envelopes = [envelope for item in ordered for envelope in item.envelopes][:MOST]
    try:
        held = [
            Vouched(claim, key.name)
            for key in verify.keys
            for envelope in envelopes
            if (claim := _claim(envelope, Named(about.name, about.digest), key.public_key))
        ]
    except ReleaseError as error:
        return Unavailable(str(error))
    return tuple(dict.fromkeys(held))


@lru_cache(maxsize=4096)
def _claim(envelope: bytes, about: Named, key: str) -> str:
    """What an envelope vouches for; empty where the key hasn't signed it, or it is about something else.

    Raises ReleaseError where nothing can be checked at all; that isn't remembered.
    """
    try:
        return check(envelope, about, key.encode()).claim
    except SignatureError:
        return ""
