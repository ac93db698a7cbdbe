"""The system prompt inside an AgentVersion: the value of one environment variable of its pod template. Pure.

There it belongs to the version, whoever may read the version can read it, and another prompt is another version. The kubelet
expands ``$(NAME)`` in such values, so that a prompt could name any variable of the container and carry its value to the model
provider: what is written here never does, and what does can't be read.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

_REFERENCE = "$("


class PromptError(Exception):
    """The version has no prompt that could be revised; the message says what to change."""


def prompt_of(manifest: Mapping[str, Any], variable: str) -> str:
    """The agent's system prompt as its process sees it.

    Raises:
        PromptError: there is no such variable, or it isn't one plain value.
    """
    value = _only(manifest, variable).get("value")
    name = manifest["metadata"]["name"]
    if not isinstance(value, str) or not value.strip():
        raise PromptError(
            f"expected a prompt as the value of {variable} in AgentVersion {name}; it is empty or comes from elsewhere"
        )
    plain = value.replace("$$", "")
    if _REFERENCE in plain:
        raise PromptError(
            f"expected {variable} of AgentVersion {name} without references to other variables such as $(NAME)"
        )
    return value.replace("$$", "$")


def with_prompt(manifest: Mapping[str, Any], variable: str, prompt: str) -> dict[str, Any]:
    """A copy of the version's pod template with another prompt in it, exactly as given.

    Raises:
        PromptError: as :func:`prompt_of`.
    """
    changed = copy.deepcopy(dict(manifest))
    _only(changed, variable)["value"] = prompt.replace("$", "$$")
    template: dict[str, Any] = changed["spec"]["template"]
    return template


def _only(manifest: Mapping[str, Any], variable: str) -> dict[str, Any]:
    name = manifest["metadata"]["name"]
    if not manifest["spec"].get("template"):
        raise PromptError(
            f"expected a template in AgentVersion {name}; its pods are a Deployment of yours, which isn't changed here"
        )
    found = [entry for entry in _entries(manifest) if entry.get("name") == variable]
    if len(found) != 1:
        raise PromptError(
            f"expected the system prompt in one environment variable {variable} of AgentVersion {name}; "
            f"{'there is none' if not found else f'{len(found)} containers have one'}: name another one in "
            "spec.proposals.promptVariable of the Rollout, or let the agent take its prompt from there"
        )
    return found[0]


def _entries(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for container in manifest["spec"]["template"].get("spec", {}).get("containers") or ():
        yield from container.get("env") or ()
