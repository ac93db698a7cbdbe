"""What the pods say they loaded: one query for all of them, now and then, beside the ticks."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from agentrollouts.core.asked import Row
from agentrollouts.core.evidence import Unavailable
from agentrollouts.ports import MetricSource
from agentrollouts.runtime.views import Place

QUERY = 'max by (namespace, pod, loaded) (agent_release_info{loaded!=""})'
LOADING_SECONDS = 30.0
"""Between two queries. Nothing waits for one: an agent that loaded something else ends, and its pod's status says so at once."""
LONGEST = 20.0
"""Seconds one query may take."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Loading:
    """Asks, and passes on what is new."""

    source: MetricSource
    heard: Callable[[Mapping[Place, str]], None]
    """Told, by pod, which artifact digest it loaded."""

    async def read(self) -> None:
        """Ask once. Without an answer what was heard last stays: silence is no mismatch."""
        try:
            async with asyncio.timeout(LONGEST):
                rows = await self.source.ask(QUERY)
        except TimeoutError:
            rows = Unavailable(f"no answer within {LONGEST:g} s")
        except Exception as error:  # noqa: BLE001
            # A source answers with values; an exception is a bug in it, and must not end the housekeeping.
            _log.exception("the metric source failed")
            rows = Unavailable(f"the metric source failed: {error!r}")
        if isinstance(rows, Unavailable):
            _log.debug("what pods loaded isn't known: %s", rows.reason)
        else:
            self.heard(reports(rows))


def reports(rows: Iterable[Row]) -> Mapping[Place, str]:
    """By pod, its artifact digest; a pod that reports two at one moment, or no digest, says nothing."""
    said: dict[Place, set[str]] = {}
    for row in rows:
        place = Place(row.labels.get("namespace", ""), row.labels.get("pod", ""))
        if all(place) and _DIGEST.fullmatch(row.labels.get("loaded", "")):
            said.setdefault(place, set()).add(row.labels["loaded"])
    return {place: next(iter(digests)) for place, digests in said.items() if len(digests) == 1}
