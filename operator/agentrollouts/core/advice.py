"""What an opinion may do to a decision: hold a candidate back, a bounded number of times, or take it out where that is allowed.

It only ever sees an Advance to a larger share, or a Promote, and answers with that same decision or one that moves less. So
nothing an advisor says can raise a share, skip a soak or a gate, or touch a rollback: those decisions don't come by here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from agentrollouts.api.advisor import EVIDENCE, AdviceOutcome, AdviceStatus, AdvisorSpec, AdvisorUsage
from agentrollouts.api.scalars import FULL, format_duration, format_percent
from agentrollouts.core.decision import Advance, Decision, Hold, Pause, Promote, Rollback
from agentrollouts.core.opinion import Answer, NoOpinion, Opinion, Subject
from agentrollouts.core.plain import plain
from agentrollouts.core.snapshot import Snapshot

UNDECIDED = "AdvisorUndecided"
FRESH = timedelta(minutes=1)
"""An opinion that lets a step go on serves at least this long, so that a write that has to be tried again doesn't ask again."""
_AGAINST: tuple[AdviceOutcome, ...] = ("Hold", "Rollback")
_OUTCOMES: dict[str, AdviceOutcome] = {"proceed": "Proceed", "hold": "Hold", "rollback": "Rollback"}


def outcome_of(said: Opinion | NoOpinion) -> AdviceOutcome:
    """The one word for an answer."""
    return _OUTCOMES[said.action] if isinstance(said, Opinion) else said.problem


def wanted(snapshot: Snapshot, decision: Decision) -> Subject | None:
    """What the advisor should be asked about now: once for a step, and again when a hold is over."""
    subject, advice = _subject(snapshot, decision), recorded(snapshot)
    spec = snapshot.spec.advisor
    if subject is None or spec is None:
        return None
    if advice is None or not _is_about(advice, subject):
        return subject
    if advice.overruled or _fresh(advice, spec, snapshot.now):
        return None
    return None if advice.outcome in _AGAINST and advice.holds > spec.max_holds else subject


def weigh(snapshot: Snapshot, decision: Decision) -> Decision:
    """The decision, or a weaker one; a Hold as long as the advisor has still to answer."""
    subject, advice = _subject(snapshot, decision), recorded(snapshot)
    spec = snapshot.spec.advisor
    if subject is None or spec is None:
        return decision
    if advice is None or not _is_about(advice, subject):
        return _asking(snapshot, spec, subject)
    if advice.overruled:
        return decision
    if advice.outcome in _AGAINST:
        return _held_back(snapshot, spec, advice)
    if not _fresh(advice, spec, snapshot.now):
        return _asking(snapshot, spec, subject)
    return _noted(decision, advice)


def recorded(snapshot: Snapshot) -> AdviceStatus | None:
    """What is known of the advisor's opinion about the candidate's next step, with the newest answer in it."""
    candidate, answer = snapshot.status.candidate, snapshot.answer
    if candidate is None:
        return None
    advice = candidate.advice
    if advice is not None and candidate.paused_reason == UNDECIDED and snapshot.is_resumed:
        advice = advice.model_copy(update={"overruled": True})
    if answer is None or answer.subject[:2] != (candidate.attempt, candidate.step + 1):
        return advice
    if answer.at < candidate.started_at:
        return advice  # about the candidate of an earlier Rollout of this name
    before = advice if advice is not None and _is_about(advice, answer.subject) else None
    if before is not None and before.at >= answer.at:
        return advice
    return _with_answer(before, answer)


def usage(snapshot: Snapshot) -> AdvisorUsage | None:
    """What the day's answers have cost, with the newest in it."""
    known, answer = snapshot.status.advisor_usage, snapshot.answer
    if answer is None or (known is not None and known.at >= answer.at):
        return known
    return answer.usage


def usage_after(snapshot: Snapshot, tokens: int, now: datetime) -> AdvisorUsage:
    """What the day's answers have cost once one more of so many tokens is counted."""
    day = f"{now:%Y-%m-%d}"
    before = usage(snapshot)
    spent = before.tokens if before is not None and before.day == day else 0
    return AdvisorUsage(day=day, tokens=spent + max(0, tokens), at=now)


def _subject(snapshot: Snapshot, decision: Decision) -> Subject | None:
    """The step a decision takes, if it makes the candidate's share larger."""
    candidate = snapshot.status.candidate
    if candidate is None:
        return None
    match decision:
        # NB: an Advance may also go down, to the floor of a self-tuning share; nobody may stand in the way of that.
        case Advance(share=share) if share > candidate.share:
            return Subject(candidate.attempt, candidate.step + 1, share)
        case Promote():
            return Subject(candidate.attempt, candidate.step + 1, FULL)
        case _:
            return None


def _is_about(advice: AdviceStatus, subject: Subject) -> bool:
    return (advice.step, advice.share) == (subject.step, subject.share)


def _fresh(advice: AdviceStatus, spec: AdvisorSpec, now: datetime) -> bool:
    against = advice.outcome in _AGAINST
    return now < advice.at + (spec.hold_for if against else max(spec.hold_for, FRESH))


def _with_answer(before: AdviceStatus | None, answer: Answer) -> AdviceStatus:
    said, holds = answer.said, before.holds if before is not None else 0
    outcome = outcome_of(said)
    opinion = said if isinstance(said, Opinion) else None
    return AdviceStatus(
        step=answer.subject.step,
        share=answer.subject.share,
        outcome=outcome,
        confidence=min(FULL, max(0, opinion.confidence)) if opinion else 0,
        reason=plain(said.reason, 1_000),
        evidence=tuple(plain(item, 250) for item in opinion.evidence[:EVIDENCE]) if opinion else (),
        at=answer.at,
        holds=holds + (outcome in _AGAINST),
        overruled=before is not None and before.overruled,
    )


def _asking(snapshot: Snapshot, spec: AdvisorSpec, subject: Subject) -> Hold:
    share = format_percent(subject.share)
    return Hold(
        "AskingAdvisor", f"{spec.model} is asked about {share}, for {format_duration(spec.timeout)} at most"
    )


def _held_back(snapshot: Snapshot, spec: AdvisorSpec, advice: AdviceStatus) -> Hold | Pause | Rollback:
    fresh, words = _fresh(advice, spec, snapshot.now), _words(advice)
    sure = advice.outcome == "Rollback" and advice.confidence >= spec.minimum_confidence
    if fresh and sure and spec.may_rollback:
        return Rollback("AdvisorRollback", words)
    if advice.holds > spec.max_holds:
        return Pause(
            UNDECIDED,
            f"{words}. It was held {spec.max_holds} times before {format_percent(advice.share)}; now a person decides. To go on:"
            f' kubectl annotate rollout {snapshot.identity.name} --overwrite agentrollouts.io/resume="$(date +%s)"',
        )
    # NB: the same words while it is asked again, or each hold would end in a transition of its own.
    return Hold("AdvisorHolds", words, until=advice.at + spec.hold_for)


def _noted(decision: Decision, advice: AdviceStatus) -> Decision:
    return replace(decision, message=f"{decision.message[:2_500]}; {_words(advice)}")


def _words(advice: AdviceStatus) -> str:
    """The opinion in one sentence; what the advisor wrote is in quotation marks, for it is not ours."""
    if advice.outcome in ("Proceed", *_AGAINST):
        sure = format_percent(advice.confidence)
        return f'the advisor says {advice.outcome.lower()} ({sure} sure): "{advice.reason}"'
    return f"no opinion of the advisor ({advice.outcome}): {advice.reason}"
