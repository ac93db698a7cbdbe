"""The new AgentVersion: its parent with another prompt, and where it comes from. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agentrollouts.api.agentversion import Lineage
from agentrollouts.api.base import API_VERSION, GROUP
from agentrollouts.improver.prompt import with_prompt
from agentrollouts.release.documents import PromptsDocument

PROMPT_FILE: Final = "system.md"
_NUMBER = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)(-.*)?")
_PROPOSED = re.compile(r"(?P<base>\d+\.\d+\.\d+)-p(?P<count>\d+)")


def next_version(parent: str, known: Iterable[str]) -> str:
    """``1.2.1-p1`` after ``1.2.0``, ``1.2.1-p2`` after that: one more than any that is known.

    Two runs at the same moment come to the same name, and the API server lets one of them have it. People keep the numbers
    without a dash for themselves.
    """
    proposed, number = _PROPOSED.fullmatch(parent), _NUMBER.fullmatch(parent)
    if proposed:
        base = proposed["base"]
    else:
        assert number is not None, "a Semver"
        base = f"{number['major']}.{number['minor']}.{int(number['patch']) + 1}"
    found = (_PROPOSED.fullmatch(item) for item in (*known, parent))
    counts = [int(item["count"]) for item in found if item and item["base"] == base]
    return f"{base}-p{max(counts, default=0) + 1}"


def new_version(
    parent: Mapping[str, Any], *, version: str, variable: str, prompt: str, lineage: Lineage
) -> dict[str, Any]:
    """The manifest. Code, model, tools and data are the parent's, byte for byte.

    Raises:
        PromptError: the parent's template has no place for the prompt.
    """
    spec, agent = parent["spec"], parent["spec"]["agent"]
    prompts = {
        "digest": PromptsDocument(files={PROMPT_FILE: prompt}).part_digest,
        "source": f"env {variable}",
    }
    return {
        "apiVersion": f"{GROUP}/{API_VERSION}",
        "kind": "AgentVersion",
        "metadata": {"name": f"{agent}-{version}", "namespace": parent["metadata"]["namespace"]},
        "spec": {
            "agent": agent,
            "version": version,
            "release": {**spec["release"], "prompts": prompts},
            "template": with_prompt(parent, variable, prompt),
            "replicas": spec.get("replicas", 1),
            "lineage": lineage.model_dump(mode="json", by_alias=True, exclude_none=True),
        },
    }
