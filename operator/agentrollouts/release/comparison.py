"""Two releases that are kept in ConfigMaps, compared for whoever has to decide. Pure, and slow for large texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentrollouts.core.texts import MOST_LINES
from agentrollouts.release.configmap import artifact_in
from agentrollouts.release.diff import diff, lines_to_compare
from agentrollouts.release.diff_report import listed
from agentrollouts.release.errors import ReleaseError


def compared(old: Mapping[str, Any], new: Mapping[str, Any], *, old_digest: str, new_digest: str) -> str:
    """What differs, as `kubectl agentrollout diff` lists it; ``old`` and ``new`` are ConfigMaps.

    Raises:
        IntegrityError: one of them isn't the artifact with that digest.
        ReleaseError: there is too much to compare.
    """
    before, after = artifact_in(old, old_digest), artifact_in(new, new_digest)
    count = lines_to_compare(before, after)
    if count > MOST_LINES:
        raise ReleaseError(
            f"the texts that differ have {count} lines; at most {MOST_LINES} are compared here"
        )
    return listed(diff(before, after))
