"""What an improver may write: another prompt, and nothing else. Pure.

Whoever may create AgentVersions decides what runs in their pods. An improver that was talked into more than a prompt would else
choose an image, mount a Secret or name another service account; so its version is compared with the parent it names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agentrollouts.api.agentversion import AgentVersionSpec
from agentrollouts.core.roles import RolloutFacts

_PROPOSED = re.compile(r".*-p[0-9]+")


def is_proposal(spec: AgentVersionSpec) -> bool:
    """Whether an improver wrote it: the admission policies let its account write no other versions."""
    return spec.lineage.author == "Agent" and _PROPOSED.fullmatch(spec.version) is not None


def beyond_a_prompt(
    spec: AgentVersionSpec, parent: AgentVersionSpec | None, rollout: RolloutFacts | None
) -> str:
    """Why a version that an improver wrote can't be used; empty when it can, and for all other versions.

    A version that serves or is on its way was looked at before; its parent may be gone by now.
    """
    if not is_proposal(spec) or _in_use(spec.version, rollout):
        return ""
    if parent is None:
        return f"{spec.version} was written by an improver, and its parent {spec.lineage.parent or '(none named)'} isn't there to compare"
    parts = [
        part
        for part in ("code", "model", "tools", "data")
        if getattr(spec.release, part) != getattr(parent.release, part)
    ]
    if parts:
        return _more(spec, f"{' and '.join(parts)} of its release")
    if spec.template is None or parent.template is None:
        return _more(spec, "where its pods come from")
    if not _only_one_value(spec.template, parent.template):
        return _more(spec, "more of its pods than the value of one environment variable")
    return ""


def _in_use(version: str, rollout: RolloutFacts | None) -> bool:
    if rollout is None:
        return False
    status = rollout.status
    return version in (
        status.stable.version if status.stable else None,
        status.candidate.version if status.candidate else None,
    )


def _more(spec: AgentVersionSpec, what: str) -> str:
    return (
        f"{spec.version} was written by an improver and changes {what}; an improver changes a prompt and nothing else than "
        f"{spec.lineage.parent} has: let a person write such a version"
    )


def _only_one_value(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Whether two pod templates are equal but for the value of at most one environment variable, set to plain text in both."""
    after, before = _leaves(new, ()), _leaves(old, ())
    if after.keys() != before.keys():
        return False
    differing = [path for path in after if after[path] != before[path]]
    return len(differing) <= 1 and all(
        _is_env_value(path) and isinstance(after[path], str) and "$(" not in after[path].replace("$$", "")
        for path in differing
    )


Path = tuple[str | int, ...]


def _leaves(value: Any, path: Path) -> dict[Path, Any]:
    if isinstance(value, Mapping) and value:
        pairs: list[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list | tuple) and value:
        pairs = list(enumerate(value))
    else:
        return {path: value}
    found: dict[Path, Any] = {}
    for name, item in pairs:
        found |= _leaves(item, (*path, name))
    return found


def _is_env_value(path: Path) -> bool:
    """``spec.containers[n].env[m].value``."""
    return len(path) == 6 and (path[0], path[1], path[3], path[5]) == ("spec", "containers", "env", "value")
