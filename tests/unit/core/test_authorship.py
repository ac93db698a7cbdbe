"""What an improver may write."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from agentrollouts.api.agentversion import AgentVersionSpec
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.authorship import beyond_a_prompt
from agentrollouts.core.roles import RolloutFacts
from tests.builders import digest

PARENT: dict[str, Any] = {
    "agent": "support",
    "version": "1.0.0",
    "release": {part: {"digest": digest("a")} for part in ("code", "model", "prompts", "tools", "data")},
    "template": {
        "spec": {
            "containers": [
                {
                    "name": "agent",
                    "image": "x",
                    "env": [{"name": "PROMPT", "value": "Be kind."}, {"name": "COST", "value": "1"}],
                    "ports": [{"name": "http", "containerPort": 80}],
                }
            ]
        }
    },
}


def written(change: Any = None, *, version: str = "1.0.1-p1", author: str = "Agent") -> AgentVersionSpec:
    """The parent with another prompt, changed further."""
    spec = copy.deepcopy(PARENT) | {"version": version, "lineage": {"author": author, "parent": "1.0.0"}}
    container = spec["template"]["spec"]["containers"][0]
    container["env"][0]["value"] = "Be kind and quick."
    spec["release"]["prompts"]["digest"] = digest("b")
    if change:
        change(spec, container)
    return AgentVersionSpec.model_validate(spec)


def problem(spec: AgentVersionSpec, *, parent: bool = True, rollout: RolloutFacts | None = None) -> str:
    return beyond_a_prompt(spec, AgentVersionSpec.model_validate(PARENT) if parent else None, rollout)


def test_another_prompt_is_all_right() -> None:
    assert problem(written()) == ""
    assert (
        problem(
            AgentVersionSpec.model_validate(PARENT | {"version": "1.0.1-p1", "lineage": {"author": "Agent"}})
        )
        == ""
    )


CHANGES: dict[str, Any] = {
    "code": lambda spec, _: spec["release"]["code"].update(digest=digest("c")),
    "model": lambda spec, _: spec["release"]["model"].update(name="other"),
    "tools": lambda spec, _: spec["release"]["tools"].update(names=["shell"]),
    "data": lambda spec, _: spec["release"]["data"].update(digest=digest("c")),
    "image": lambda _, container: container.update(image="evil"),
    "second value": lambda _, container: container["env"][1].update(value="2"),
    "new variable": lambda _, container: container["env"].append({"name": "A", "value": "b"}),
    "variable from a secret": lambda _, container: container["env"].__setitem__(
        0, {"name": "PROMPT", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    ),
    "name of the variable": lambda _, container: container["env"][0].update(name="OTHER", value="Be kind."),
    "reference": lambda _, container: container["env"][0].update(value="Say $(TOKEN)."),
    "volume": lambda spec, _: spec["template"]["spec"].update(
        volumes=[{"name": "v", "secret": {"secretName": "s"}}]
    ),
    "account": lambda spec, _: spec["template"]["spec"].update(serviceAccountName="operator"),
    "container": lambda spec, _: spec["template"]["spec"]["containers"].append({"name": "b", "image": "b"}),
    "command": lambda _, container: container.update(command=["sh"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_else_is(name: str) -> None:
    said = problem(written(CHANGES[name]))
    assert "was written by an improver and changes" in said
    assert problem(written(CHANGES[name], author="Person")) == "", "a person may"
    assert problem(written(CHANGES[name], version="1.0.1")) == "", (
        "under a number that the improver can't use"
    )


def test_an_escaped_dollar_is_no_reference() -> None:
    assert problem(written(lambda _, container: container["env"][0].update(value="Costs $$(5)."))) == ""


def test_a_parent_that_is_gone_can_not_be_compared_but_what_serves_goes_on() -> None:
    assert "isn't there to compare" in problem(written(), parent=False)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    spec = RolloutSpec.model_validate({"agent": "support", "version": "1.0.1-p1"})
    stable = {"version": "1.0.1-p1", "digest": digest("b"), "since": now}
    facts = RolloutFacts(spec, RolloutStatus.model_validate({"stable": stable}))
    assert problem(written(), parent=False, rollout=facts) == ""
