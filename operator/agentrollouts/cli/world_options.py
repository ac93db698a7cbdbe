"""What `plan` and `simulate` are told about an agent and its callers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from agentrollouts.cli import quantities
from agentrollouts.cli.errors import CommandError
from agentrollouts.planning.measured import Measured
from agentrollouts.planning.world import World

SUCCESS, TASKS, CORRELATION, COST = 0.95, 3, 0.3, 0.1
"""What is assumed where nobody says."""


class JsonFormat(StrEnum):
    """Machine-readable output."""

    JSON = "json"


Traffic = Annotated[
    str, typer.Option("--traffic", help="Sessions of all versions together, such as 20/min, 3/s or 100/h.")
]
Tasks = Annotated[
    int | None,
    typer.Option(
        "--sessions-of", min=1, max=50, metavar="TASKS", help="Tasks of a session.", show_default=f"{TASKS}"
    ),
]
Success = Annotated[
    str, typer.Option("--success", help="The old version's success rate over tasks.", show_default="95%")
]
Correlation = Annotated[
    float | None,
    typer.Option(
        "--correlation",
        min=0.0,
        max=1.0,
        help="How alike tasks of one session are.",
        show_default=f"{CORRELATION}",
    ),
]
Cost = Annotated[
    str,
    typer.Option(
        "--cost", help="Mean cost of a task, as a part of the agent's AGENT_COST_CAP_USD.", show_default="10%"
    ),
]
Approval = Annotated[
    str, typer.Option("--approval", help="How long people take to approve, such as 2h; or never.")
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same output.")]
JsonOutput = Annotated[
    JsonFormat | None, typer.Option("--output", "-o", help="Print the numbers instead.", show_default=False)
]


def world_of(
    measured: Measured | None,
    *,
    traffic: str,
    tasks: int | None,
    success: str,
    correlation: float | None,
    cost: str,
    effect: float = 0.0,
) -> World:
    """The options on top of what was measured, on top of what is assumed."""
    known = measured or Measured(0.0, SUCCESS, TASKS, CORRELATION, COST)
    a_minute = quantities.traffic(traffic) if traffic else known.sessions_per_minute
    if not a_minute:
        raise CommandError(
            "say how much traffic there is, such as --traffic 20/min; with --agent it can be measured by --prometheus URL",
            status=2,
        )
    try:
        return World(
            a_minute,
            success=quantities.share(success, "--success") if success else known.success,
            effect=effect,
            tasks_per_session=known.tasks_per_session if tasks is None else tasks,
            correlation=known.correlation if correlation is None else correlation,
            cost=quantities.share(cost, "--cost") if cost else known.cost,
        )
    except ValueError as error:
        raise CommandError(str(error), status=2) from error
