"""Which two releases a rollout is about, and what is known of their texts. Pure."""

from __future__ import annotations

from agentrollouts.core.authorship import is_proposal
from agentrollouts.core.snapshot import Snapshot, VersionView
from agentrollouts.core.texts import Pair, Prompts, Shown, Side, only, prompts_in, unread

_TEXTS = ("prompts", "tools")


def pairs(snapshot: Snapshot) -> tuple[Pair, ...]:
    """The pairs that something may be told of.

    The version that serves with the one on its way or asked for, and with the one before as long as that can be gone back to.
    """
    status = snapshot.status
    stable = _stable(snapshot)
    found = [pair_of(snapshot, stable, _candidate(snapshot) if status.candidate else snapshot.wanted)]
    previous = status.previous
    if previous is not None and previous.warm_until > snapshot.now:
        found.append(pair_of(snapshot, snapshot.named(previous.version, previous.digest), stable))
    return tuple(dict.fromkeys(pair for pair in found if pair is not None))


def pair_of(snapshot: Snapshot, old: VersionView | None, new: VersionView | None) -> Pair | None:
    """The two side by side; None where one isn't there, or no text differs."""
    if old is None or new is None:
        return None
    variable = snapshot.spec.proposals.prompt_variable
    before, after = _prompts(old, variable), _prompts(new, variable)
    differ = any(old.parts.get(part) != new.parts.get(part) for part in _TEXTS)
    if not differ and before == after:
        return None
    return Pair(
        agent=snapshot.spec.agent,
        old=Side(old.version, old.digest, before),
        new=Side(new.version, new.digest, after),
        variable=variable,
        kept=differ and not (before != after and _only_a_prompt(old, new)),
    )


def difference(snapshot: Snapshot, old: VersionView | None, new: VersionView | None) -> Shown:
    """What is shown of the texts of two versions."""
    pair = pair_of(snapshot, old, new)
    if pair is None:
        return Shown()
    known = snapshot.texts.get(pair)
    return known if known is not None else only(unread(pair, snapshot.identity.namespace))


def on_its_way(snapshot: Snapshot) -> Shown:
    """What is shown of the texts of the candidate beside the version that serves."""
    return difference(snapshot, _stable(snapshot), _candidate(snapshot))


def is_being_read(snapshot: Snapshot) -> bool:
    """Whether the candidate's texts are just being read: what is written once and for all waits for them that long."""
    pair = pair_of(snapshot, _stable(snapshot), _candidate(snapshot))
    return pair is not None and pair in snapshot.texts and snapshot.texts[pair] is None


def _stable(snapshot: Snapshot) -> VersionView | None:
    stable = snapshot.status.stable
    return snapshot.named(stable.version, stable.digest) if stable else None


def _candidate(snapshot: Snapshot) -> VersionView | None:
    candidate = snapshot.status.candidate
    return snapshot.named(candidate.version, candidate.digest) if candidate else None


def _prompts(view: VersionView, variable: str) -> Prompts:
    return prompts_in(view.spec.template, variable) if view.spec else ()


def _only_a_prompt(old: VersionView, new: VersionView) -> bool:
    """Whether an improver made one of the other: its prompt in the template is all that differs, and no text is kept elsewhere."""
    made = new.spec is not None and is_proposal(new.spec) and new.lineage.parent == old.version
    return made and old.parts.get("tools") == new.parts.get("tools")
