"""Shares: from a candidate's share to the arms of a route, always 10,000 basis points in all."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from agentrollouts.api.agentroute import Arm
from agentrollouts.api.scalars import FULL


def control_share(candidate: int, cap: int) -> int:
    """As large as the candidate's, capped, and never more than what the candidate leaves."""
    return min(candidate, cap, FULL - candidate)


def arms(
    *, stable: tuple[str, str], candidate: tuple[str, str] | None = None, share: int = 0, control_cap: int = 0
) -> tuple[Arm, ...]:
    """Arms in ring order. Versions come as (semver, service); a candidate without a share has no arm at all.

    The order matters: candidate first and control last on the ring, so that a growing candidate takes users from stable
    only, and nobody who has seen the candidate goes back.
    """
    if candidate is None or share == 0:
        return (Arm(cohort="stable", version=stable[0], service=stable[1], share=FULL),)
    control = control_share(share, control_cap)
    sizes = (
        ("candidate", candidate, share),
        ("stable", stable, FULL - share - control),
        ("control", stable, control),
    )
    return tuple(
        Arm(cohort=cohort, version=version, service=service, share=size)
        for cohort, (version, service), size in sizes
        if size
    )


def manual_arms(shares: Sequence[tuple[str, str, int]]) -> tuple[Arm, ...]:
    """Arms of hand-set shares, given as (semver, service, basis points): the largest is stable, the others candidates."""
    largest = max(shares, key=lambda item: item[2])[0]
    ordered = sorted(shares, key=lambda item: item[0] == largest)
    return tuple(
        Arm(
            cohort="stable" if version == largest else "candidate",
            version=version,
            service=service,
            share=share,
        )
        for version, service, share in ordered
    )


def offset(*parts: str) -> int:
    """Where on the ring a rollout's arms begin: its salt, so that the same users aren't always first."""
    return int.from_bytes(sha256("\x00".join(parts).encode()).digest()[:8], "big") % FULL
