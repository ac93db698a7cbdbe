"""Whether a version may be started: what its Rollout asks to be vouched for, against what is. Pure; signatures are the shell's."""

from __future__ import annotations

from dataclasses import dataclass

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.api.verification import Verify
from agentrollouts.core.evidence import Unavailable

UNVERIFIED = "Unverified"


@dataclass(frozen=True, slots=True)
class Vouched:
    """One claim about exactly one artifact, agent and version, and the key whose signature holds."""

    claim: str
    key: str


Statements = tuple[Vouched, ...] | Unavailable


def missing(verify: Verify | None, vouched: Statements, version: str) -> str:
    """What a version lacks, in a sentence; empty when it may start. What can't be checked doesn't count."""
    if verify is None:
        return ""
    if isinstance(vouched, Unavailable):
        return f"{version} isn't started: its statements can't be checked: {vouched.reason}"
    may = {key.name: key.claims or verify.require for key in verify.keys}
    there = {item.claim for item in vouched if item.claim in may.get(item.key, ())}
    lacking = [claim for claim in verify.require if claim not in there]
    if not lacking:
        return ""
    return f"{version} isn't started: expected a signed statement for {'; '.join(_wanted(verify, each) for each in lacking)}"


def is_accepted(status: RolloutStatus, version: str, digest: str) -> bool:
    """Whether the version was let in before: what serves, or may have to serve again, isn't stopped by a new demand."""
    known = (status.stable, status.previous, status.candidate)
    return any(item is not None and (item.version, item.digest) == (version, digest) for item in known)


def _wanted(verify: Verify, claim: str) -> str:
    by = [key.name for key in verify.keys if not key.claims or claim in key.claims]
    return f"{claim} by {' or '.join(by)}"
