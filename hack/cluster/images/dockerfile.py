"""The little of a Dockerfile that decides a content hash: which paths of the context each stage takes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """One `FROM` block: its name, its base, the stages it copies from and the context paths it copies."""

    name: str
    base: str
    copies_from: tuple[str, ...]
    sources: tuple[str, ...]


def logical_lines(text: str) -> list[str]:
    """Instructions with their continuation lines joined and comments dropped."""
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line.strip() for line in re.sub(r"\\\n", " ", "\n".join(kept)).splitlines() if line.strip()]


def read_stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile, in order."""
    stages: list[Stage] = []
    for line in logical_lines(text):
        word, _, rest = line.partition(" ")
        if word.upper() == "FROM":
            stages.append(_new_stage(rest.split(), number=len(stages)))
        elif word.upper() in {"COPY", "ADD"} and stages:
            stages[-1] = _with_copy(stages[-1], rest.split())
    return stages


def _new_stage(words: Sequence[str], *, number: int) -> Stage:
    plain = [word for word in words if not word.startswith("--")]
    named = len(plain) == 3 and plain[1].lower() == "as"
    return Stage(plain[2] if named else str(number), plain[0], (), ())


def _with_copy(stage: Stage, words: Sequence[str]) -> Stage:
    flags = [word for word in words if word.startswith("--")]
    paths = [word for word in words if not word.startswith("--")]
    origin = next((flag.removeprefix("--from=") for flag in flags if flag.startswith("--from=")), None)
    if origin is not None:
        return Stage(stage.name, stage.base, (*stage.copies_from, origin), stage.sources)
    return Stage(stage.name, stage.base, stage.copies_from, (*stage.sources, *paths[:-1]))


def context_sources(text: str, target: str) -> list[str]:
    """Context paths that reach `target` (empty: the last stage), through every stage it draws on."""
    stages = {stage.name: stage for stage in read_stages(text)}
    if not stages:
        raise ValueError("a Dockerfile should have a FROM line, and this one has none")
    first = target or list(stages)[-1]
    if first not in stages:
        raise ValueError(f"the Dockerfile should have a stage `{first}`; it has {', '.join(stages)}")
    waiting, seen, sources = [first], set[str](), list[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in stages:
            continue
        seen.add(name)
        stage = stages[name]
        sources += stage.sources
        waiting += [stage.base, *stage.copies_from]
    return sorted(set(sources))
