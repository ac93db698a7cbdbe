"""The ring of 10,000 basis points: which arm answers where.

Envoy hashes the sticky key to a place on the ring and walks the weighted clusters from 0. An arm is an arc
that starts where the one before it ends, the first at the rollout's offset; an arc that passes 10,000 is cut
in two. With a fixed offset the candidate's arc only grows at its upper end, into the stable arm, and the
control arm never moves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from agentrollouts.dataplane.model import FULL, Arm


@dataclass(frozen=True, slots=True)
class Arc:
    """Places ``start`` (included) to ``start + length`` (excluded) and the arm that answers there."""

    start: int
    length: int
    arm: Arm


def served_arms(arms: Iterable[Arm], ready: Collection[str]) -> tuple[Arm, ...]:
    """The arms that take traffic, in ring order, shares summing to 10,000; empty when no arm with a share is ready.

    A share of 0 means zero requests, so such an arm is neither kept nor ever a substitute. An arm whose
    Service isn't in ``ready`` keeps its place on the ring, but the stable version answers there: nobody else
    moves meanwhile. Nobody takes over for the stable version itself: a candidate that is allowed a twentieth
    of the users must not get all of them because the other pods are down, unapproved and far too small.
    """
    with_share = tuple(arm for arm in arms if arm.share > 0)
    alive = tuple(arm for arm in with_share if arm.service in ready)
    if not alive:
        return ()
    substitute = next((arm for arm in alive if arm.cohort != "candidate"), None)
    return tuple(
        arm if arm in alive or substitute is None else replace(substitute, share=arm.share)
        for arm in with_share
    )


def arcs(arms: Iterable[Arm], *, offset: int) -> tuple[Arc, ...]:
    """The arcs of the given arms by place, covering 0..10,000 exactly once when the shares sum to 10,000."""
    pieces: list[Arc] = []
    start = offset % FULL
    for arm in arms:
        before_wrap = min(arm.share, FULL - start)
        pieces.append(Arc(start, before_wrap, arm))
        pieces.append(Arc(0, arm.share - before_wrap, arm))
        start = (start + arm.share) % FULL
    return tuple(sorted((piece for piece in pieces if piece.length), key=lambda piece: piece.start))
