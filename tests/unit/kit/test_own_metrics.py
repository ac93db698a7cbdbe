"""The documented way to report a metric of one's own: beside the kit's, with the cohort of the request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from agentrollouts_kit import request_context
from agentrollouts_kit.context import current

DOCUMENT = Path(__file__).parents[3] / "docs" / "reporting-outcomes.md"


def test_the_example_is_served_with_the_cohort_of_the_request() -> None:
    section = DOCUMENT.read_text().partition("## Metrics of your own\n")[2]
    example = re.search(r"```python\n(.+?)```", section, re.DOTALL)
    assert example is not None
    names: dict[str, Any] = {}
    exec(example[1], names)
    token = current.set(request_context([(b"x-agent-cohort", b"candidate")]))
    try:
        names["waited"](0.5)
    finally:
        current.reset(token)
    served = names["reporter"].render("").body.decode()
    assert 'queue_time_seconds_count{cohort="candidate"} 1.0' in served
    assert "agent_tasks_total" in served
