"""What differs between two releases, as far as their AgentVersions tell: parameters by name, tools by name, the rest by digest. Pure.

The texts themselves are in the artifact; what they differ in, line by line, comes beside this (core/texts.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentrollouts.api.agentversion import Release
from agentrollouts.core.plain import plain

PARTS = ("code", "model", "prompts", "tools", "data")
LINE = 256
"""Characters of one line."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. ``old`` or ``new`` is empty where it is new or gone."""

    part: str
    subject: str
    old: str = ""
    new: str = ""
    grants: bool = False
    """Whether the agent may do more than before, as far as that can be told."""

    @property
    def line(self) -> str:
        """One line for a person; ``!`` marks what grants more."""
        if self.old and self.new:
            what = f"{self.old} -> {self.new}"
        else:
            what = f"new{f': {self.new}' if self.new else ''}" if not self.old else f"removed: {self.old}"
        return plain(f"{'! ' if self.grants else ''}{self.part}: {self.subject}: {what}", LINE)


def differences(old: Release, new: Release) -> tuple[Difference, ...]:
    """Everything that differs, what grants more first; empty where no part does."""
    found = (*_parameters(old, new), *_tools(old, new), *_rest(old, new))
    return tuple(sorted(found, key=lambda item: not item.grants))


def lines(old: Release, new: Release, most: int) -> tuple[str, ...]:
    """At most so many lines; the last one says how many more there are."""
    found = [item.line for item in differences(old, new)]
    if len(found) <= most:
        return tuple(found)
    return (*found[: most - 1], f"… {len(found) - most + 1} more")


def _parameters(old: Release, new: Release) -> Iterator[Difference]:
    before, after = _words(old), _words(new)
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Difference("model", name, _shown(before, name), _shown(after, name))


def _words(release: Release) -> Mapping[str, str]:
    model = release.model
    named = {"provider": model.provider, "name": model.name, "snapshot": model.snapshot}
    return {name: value for name, value in named.items() if value} | {
        f"parameters.{name}": value for name, value in model.parameters.items()
    }


def _shown(values: Mapping[str, str], name: str) -> str:
    return f'"{values[name]}"' if name in values else ""


def _tools(old: Release, new: Release) -> Iterator[Difference]:
    before, after = old.tools.names, new.tools.names
    for name in sorted({*before, *after}):
        if name not in before:
            yield Difference("tools", name, new="a tool it didn't have", grants=True)
        elif name not in after:
            yield Difference("tools", name, old="a tool it had")


def _rest(old: Release, new: Release) -> Iterator[Difference]:
    """Each part that differs, by digest, and where its image or its text is kept, where that moved."""
    for part in PARTS:
        before, after = getattr(old, part), getattr(new, part)
        if before.digest != after.digest:
            yield Difference(part, "digest", before.digest, after.digest)
    places = (
        ("code", "image", old.code.image, new.code.image),
        ("prompts", "source", old.prompts.source, new.prompts.source),
        ("data", "source", old.data.source, new.data.source),
    )
    for part, subject, was, now in places:
        if was != now:
            yield Difference(part, subject, was, now)
