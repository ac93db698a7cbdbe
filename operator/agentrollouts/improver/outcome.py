"""What a run says when it ends: one JSON document, whatever happened."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Action = Literal["hold", "proposed", "refused"]
EXIT_CODES: dict[Action, int] = {"hold": 0, "proposed": 0, "refused": 3}


class Outcome(BaseModel):
    """``reason`` is one CamelCase word, ``message`` a sentence; ``version`` is the new AgentVersion's, ``started``: it was asked for.

    ``revised_system_prompt`` is told by a dry run only. ``cost_usd`` is what the model cost, also where nothing came of it.
    """

    model_config = ConfigDict(frozen=True)

    action: Action
    reason: str
    message: str
    namespace: str
    rollout: str
    parent: str | None = None
    version: str | None = None
    started: bool = False
    rationale: str | None = None
    evidence: tuple[str, ...] = ()
    turns: int = 0
    cost_usd: float = 0.0
    revised_system_prompt: str | None = None

    @property
    def exit_code(self) -> int:
        """0: nothing to complain of; 3: a proposal was wanted and couldn't be made."""
        return EXIT_CODES[self.action]
