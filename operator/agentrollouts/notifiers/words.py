"""A notice in words for people: what happened in one line, and what may be done about it."""

from __future__ import annotations

from typing import assert_never

from agentrollouts.api.scalars import format_percent
from agentrollouts.ports import Notice


def headline(notice: Notice) -> str:
    """What happened, without a word that others wrote: names, versions and shares have no room for any."""
    facts = notice.facts
    version, before = facts.candidate, format_percent(facts.share_before)
    after = format_percent(facts.share_after)
    match facts.happening:
        case "Started":
            text = f"{version} is on its way"
        case "Advanced":
            text = f"{version} goes from {before} to {after}"
        case "ApprovalNeeded":
            text = f"{version} has {before} and waits for approval"
        case "Paused":
            text = f"{version} is paused at {before}"
        case "Stalled":
            text = f"{version} can't go on by itself"
        case "RolledBack":
            text = f"{version} was rolled back from {before}"
        case "Promoted":
            text = f"{version} serves all traffic"
        case "Undone":
            text = f"{version} was taken back, {facts.stable} serves again"
        case "Drifted":
            text = f"{version}, which serves, behaves otherwise than when it was accepted"
        case _:
            assert_never(facts.happening)
    return f"{notice.namespace}/{notice.rollout}: {text} ({facts.reason})"


def commands(notice: Notice) -> tuple[str, ...]:
    """What a person may type next."""
    kubectl, where = "kubectl agentrollout", f"{notice.rollout} -n {notice.namespace}"
    look = f"{kubectl} status {where}"
    match notice.facts.happening:
        case "ApprovalNeeded":
            return (
                look,
                *_diff(notice),
                f"{kubectl} approve {where}",
                f'{kubectl} reject {where} --reason "…"',
            )
        case "Paused":
            return (look, f"{kubectl} resume {where}", f"{kubectl} abort {where}")
        case "RolledBack":
            return (look, *_diff(notice), f"{kubectl} history {where}", f"{kubectl} retry {where}")
        case "Promoted":
            return (look, f"{kubectl} undo {where}")
        case "Started" | "Advanced":
            return (look, f"{kubectl} pause {where}", f"{kubectl} abort {where}")
        case "Stalled" | "Undone" | "Drifted":
            return (look, f"{kubectl} get {where}")
        case _:
            assert_never(notice.facts.happening)


def _diff(notice: Notice) -> tuple[str, ...]:
    """What differs, line by line where the texts are in the namespace."""
    facts = notice.facts
    if not facts.candidate or not facts.stable:
        return ()
    both = f"{notice.agent}-{facts.stable} {notice.agent}-{facts.candidate}"
    return (f"kubectl agentrollout diff {both} -n {notice.namespace}",)
