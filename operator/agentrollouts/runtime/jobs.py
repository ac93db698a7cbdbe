"""Jobs before traffic as the operator keeps them, and what each one and its pods come to. Pure.

A Job says whether it is over; what it found is in the termination message of its pod. The two come by different watches, in any
order, so a Job that is over waits a little for its pod's word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from agentrollouts.api.before_traffic import ProofSummary
from agentrollouts.core.manifests import ROLLOUT_LABEL
from agentrollouts.core.proof_run import Broken, Finished, ProofRun, Running
from agentrollouts.core.unstarted import why_not_started
from agentrollouts.runtime.children import Ended, PodObject
from agentrollouts.runtime.views import Meta, Place, Raw, meta_of

WORD = timedelta(seconds=30)
"""How long after a Job's end its pod's word may still be on its way."""
_SHOWN = 200
_OVER = ("Complete", "Failed")


@dataclass(frozen=True, slots=True)
class JobObject:
    """A Job with our label. ``owner``: uid of the Rollout it belongs to."""

    meta: Meta
    rollout: Place
    owner: str = ""
    over: datetime | None = None
    """When it was over, if it is."""
    failure: str = ""
    """Why its controller gave it up, if it did."""

    @property
    def face(self) -> object:
        """What a decision goes by."""
        return self.meta.uid, self.meta.deleting, self.over, self.failure


def job(raw: Raw, before: JobObject | None = None) -> JobObject:
    """A Job."""
    meta = meta_of(raw)
    labels = raw["metadata"].get("labels") or {}
    owners = raw["metadata"].get("ownerReferences") or ()
    conditions = {
        item["type"]: item
        for item in (raw.get("status") or {}).get("conditions") or ()
        if item.get("status") == "True"
    }
    over = next((conditions[kind] for kind in _OVER if kind in conditions), None)
    failed = conditions.get("Failed")
    return JobObject(
        meta=meta,
        rollout=Place(meta.place.namespace, labels.get(ROLLOUT_LABEL, "")),
        owner=next((item["uid"] for item in owners if item.get("kind") == "Rollout"), ""),
        over=datetime.fromisoformat(over["lastTransitionTime"]) if over else None,
        failure=f"{failed.get('reason', 'Failed')}: {failed.get('message', '')}" if failed else "",
    )


def run_of(found: JobObject, pods: Iterable[PodObject], now: datetime) -> ProofRun:
    """How a Job stands, by its own word and that of the last of its pods that ended."""
    ours = [pod for pod in pods if pod.job == found.meta.uid]
    over = found.over
    if over is None:
        reasons = (why_not_started(pod.trouble, pod.unstarted, now) for pod in ours)
        return Running(next(filter(None, reasons), ""))
    endings = [pod.ended for pod in ours if pod.ended is not None]
    if not endings:
        if now < over + WORD and not found.failure.startswith("DeadlineExceeded"):
            return Running()
        return Broken(found.failure or "its pod is gone, and with it what it said", over)
    return _said(max(endings, key=lambda each: each.at or over), found, over)


def _said(ended: Ended, found: JobObject, over: datetime) -> ProofRun:
    how = f"exit status {ended.status}{f', {ended.reason}' if ended.reason else ''}"
    if not ended.message:
        return Broken(f"it ended without a summary ({how}); its log may say why", over)
    try:
        summary = ProofSummary.model_validate_json(ended.message)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        return Broken(
            f"expected a summary as JSON; {where}: {first['msg']}; got {ended.message[:_SHOWN]!r} ({how})",
            over,
        )
    if summary.verdict == "PASS" and (ended.status or found.failure):
        # NB: it fell over after it had written; nobody knows what it would have written then.
        return Broken(
            f"it said PASS and then failed ({how}){f': {found.failure}' if found.failure else ''}", over
        )
    return Finished(summary, ended.at or over)
