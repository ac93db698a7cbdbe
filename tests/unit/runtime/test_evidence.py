from __future__ import annotations

from datetime import timedelta

from agentrollouts.api.rollout_status import CandidateStatus, RolloutStatus
from agentrollouts.metrics.fake import FakeSource
from agentrollouts.runtime.evidence import EvidenceBook
from agentrollouts.runtime.views import Place
from tests.builders import spec
from tests.fakes.stage import HandClock

SPEC = spec("2.0.0", analysis={"interval": "10s"})


def test_a_subject_is_made_once_for_a_spec_and_a_candidate() -> None:
    clock = HandClock()
    book = EvidenceBook(FakeSource(now=clock.now), clock, clock.monotonic)
    place, now = Place("shop", "support"), clock.now()
    candidate = CandidateStatus(
        version="2.0.0", digest="sha256:" + "a" * 64, started_at=now, step_started_at=now
    )
    status = RolloutStatus(candidate=candidate)
    subject = book.subject(place, SPEC, status)
    assert book.subject(place, SPEC, status) is subject
    again = RolloutStatus(candidate=candidate.model_copy(update={"attempt": 2}))
    assert book.subject(place, SPEC, again).attempt == 2
    wider = SPEC.model_copy(
        update={"analysis": SPEC.analysis.model_copy(update={"window": timedelta(minutes=7)})}
    )
    assert book.subject(place, wider, again).windows.window == timedelta(minutes=7)
