"""The closed sets of label values. Nothing an agent or its user says can add one."""

from __future__ import annotations

from typing import Final, Literal

Outcome = Literal["success", "failure", "refused", "escalated"]
CloseReason = Literal["explicit", "idle", "expired"]
Feedback = Literal["thumbs_down", "regenerate", "takeover"]
ShadowDrop = Literal[
    "queue", "rate", "refused", "failed", "unusable", "session_closed", "similarity_error", "stopping"
]

OUTCOMES: Final[tuple[Outcome, ...]] = ("success", "failure", "refused", "escalated")
COHORTS: Final = ("candidate", "stable", "control", "none")
CLOSE_REASONS: Final[tuple[CloseReason, ...]] = ("explicit", "idle", "expired")
DIRECTIONS: Final = ("input", "output")
CALL_OUTCOMES: Final = ("success", "failure")
FEEDBACK: Final[tuple[Feedback, ...]] = ("thumbs_down", "regenerate", "takeover")
"""What a user did about a task: disliked its answer, asked for another one, went on without the agent."""
EVENTS: Final = ("tool_failure", "intervention", "checkpoint", "destructive_rollback", *FEEDBACK)
"""What may happen during a task, or because of it; a session is the fraction of its tasks in which it did."""

OUTPUT_SIMILARITY: Final = "output_similarity"
"""The score a shadow gives: how alike this answer and that of the stable version are."""
SHADOW_DROPS: Final[tuple[ShadowDrop, ...]] = (
    "queue",
    "rate",
    "refused",
    "failed",
    "unusable",
    "session_closed",
    "similarity_error",
    "stopping",
)
"""Why a sampled task got no score: no room or too long a wait in the queue, over the cap per minute, the stable version
answers no shadows, it could not be reached or gave no answer, no text to compare, the session closed before, the similarity
raised or was no number from 0 to 1, the process stops."""

OTHER_TOOL: Final = "other"
"""Where a call of a tool that was not declared counts."""
WITHOUT_TOOL: Final = "none"
"""Where a session that called no tool counts."""
OTHER_TOPIC: Final = "other"
"""Where a topic that was not declared counts, in an agent that declares some."""
WITHOUT_TOPIC: Final = "none"
"""Where a session of which no topic is known counts."""

DURATION_EDGES: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Upper edges of a task's duration in seconds; one more bucket, without an edge, follows."""
LENGTH_EDGES: Final = (50.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)
"""Upper edges of a task's response in characters; one more bucket follows."""

COST_CAPS: Final = 7
"""How many caps a task's cost is cut at: what fits an agent is only known from what its tasks cost."""

NO_COHORT: Final = COHORTS.index("none")
FAILURE: Final = OUTCOMES.index("failure")
SUCCESS: Final = OUTCOMES.index("success")
TOOL_FAILURE: Final = EVENTS.index("tool_failure")
INTERVENTION: Final = EVENTS.index("intervention")
CHECKPOINT: Final = EVENTS.index("checkpoint")
DESTRUCTIVE_ROLLBACK: Final = EVENTS.index("destructive_rollback")
FIRST_FEEDBACK: Final = EVENTS.index(FEEDBACK[0])
