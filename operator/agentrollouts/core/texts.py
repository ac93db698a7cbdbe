"""The prompts and tools of two releases side by side, as a person is shown them: line by line, or why they aren't there. Pure.

The texts of an artifact aren't in its AgentVersion; the shell reads them (runtime/reader.py). A prompt that is an environment
variable of the pod template is, and is compared as it stands there: ``$$(NAME)`` and ``$(NAME)`` don't mean the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentrollouts.api import approvalgate, notify
from agentrollouts.core.plain import plain
from agentrollouts.core.text_diff import bounded, unified, visible

LONGEST_LINE = 1024
"""Bytes of one line, where not all of a difference has room."""
MOST_LINES = 5_000
"""Lines of both texts together that are compared. Texts are written by others, and to compare lines that are all alike takes long."""
_REASON = 512

Prompts = tuple[tuple[str, str], ...]
"""Container and value of the prompt variable in each container that has it."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two versions."""

    version: str
    digest: str
    """Of the artifact."""
    prompts: Prompts = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of one agent whose texts differ. Whatever is equal here has the same difference."""

    agent: str
    old: Side
    new: Side
    variable: str
    """The environment variable that may hold the prompt."""
    kept: bool
    """Whether texts of the artifacts differ, which are kept apart from the AgentVersions."""

    @property
    def names(self) -> tuple[str, str]:
        """What their AgentVersions are called."""
        return f"{self.agent}-{self.old.version}", f"{self.agent}-{self.new.version}"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a difference: lines that do nothing but stand there. Empty where no text differs."""

    long: str = ""
    """As much as a gate or the evidence of a rollback has room for."""
    short: str = ""
    """As much as a notice has room for."""


def prompts_in(template: Mapping[str, Any] | None, variable: str) -> Prompts:
    """The values of the variable in a pod template, as they are written there."""
    containers = ((template or {}).get("spec") or {}).get("containers") or ()
    return tuple(
        (str(container.get("name", "")), entry["value"])
        for container in containers
        for entry in container.get("env") or ()
        if entry.get("name") == variable and isinstance(entry.get("value"), str)
    )


def shown(pair: Pair, texts: str = "", *, why_not: str = "") -> Shown:
    """All that is known of a difference: prompts of the specs, and ``texts``, what the artifacts differ in, or why there are none.

    Takes a moment for large texts.
    """
    parts = (f"{why_not}\n" if why_not else "", "".join(f"{line}\n" for line in _prompts(pair)), texts)
    whole = "\n".join(part for part in parts if part)
    return Shown(
        long=bounded(whole, approvalgate.DIFF, longest=LONGEST_LINE),
        short=bounded(whole, notify.DIFF, longest=LONGEST_LINE),
    )


def unread(pair: Pair, namespace: str, why: str = "the texts haven't been read yet") -> str:
    """The sentence where the texts may be there and aren't at hand. ``why`` may be others' words."""
    old, new = pair.names
    return f"{plain(why, _REASON)}; kubectl agentrollout diff {old} {new} -n {namespace} compares them"


def elsewhere(why: str) -> str:
    """The sentence where the texts aren't in the namespace, or not as promised. ``why`` may be others' words."""
    return f"{plain(why, _REASON)}; kubectl agentrollout diff OLD NEW compares them where they are kept"


def only(sentence: str) -> Shown:
    """One of these sentences, and nothing else."""
    return Shown(f"{sentence}\n", f"{sentence}\n")


def _prompts(pair: Pair) -> Iterator[str]:
    before, after = dict(pair.old.prompts), dict(pair.new.prompts)
    for container in sorted({*before, *after}):
        old, new = before.get(container, ""), after.get(container, "")
        if old == new:
            continue
        yield visible(f"prompts: {pair.variable} of container {container}")
        count = old.count("\n") + new.count("\n")
        if count > MOST_LINES:
            yield f"{count} lines, of which at most {MOST_LINES} are compared here"
        else:
            yield from map(visible, unified(old, new))
