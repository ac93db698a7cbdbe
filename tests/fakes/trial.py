"""An agent in replay mode that runs any prompt it is sent, and does what the prompt says about returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentrollouts.replay.recordings import Recordings
from tests.fakes.replaying import Agent

RULE = "Say returned where the record says that the goods came back."


def obeys(asked: Any) -> Any:
    """Right about returns where the prompt has the rule, and about all else unless the prompt forgets to look up."""
    prompt, task = asked["system_prompt"], asked["input"]
    right = "returned" if task["kind"] == "return" else "shipped"
    knows = RULE in prompt if task["kind"] == "return" else "Look an order up" in prompt
    return {"label": right if knows else "wrong", "answer": "…"}


class TrialAgent(Agent):
    """What tries prompts. ``recordings`` is where its tools' answers are."""

    def __init__(self, recordings: Recordings) -> None:
        super().__init__(f"http://127.0.0.1:{recordings.port}")
        self.recordings = recordings
        self.answer = obeys
        self.url = self.url.replace("/v1/tasks", "/v1/trial")

    @property
    def prompts(self) -> set[str]:
        """Those it was sent."""
        return {asked["system_prompt"] for asked in self.asked}


@contextmanager
def serving() -> Iterator[TrialAgent]:
    """An agent that listens until the block ends."""
    with Recordings("127.0.0.1", 0) as recordings:
        agent = TrialAgent(recordings)
        try:
            yield agent
        finally:
            agent.close()
