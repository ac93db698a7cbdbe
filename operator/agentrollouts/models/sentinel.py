"""One look of the sentinel: answers to the probes, held against what the same version answered when it was accepted.

It decides nothing and changes nothing but its own state. What comes of it is a sentence and whether somebody should be told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentrollouts.evals.attempts import Attempt
from agentrollouts.evals.results import Results
from agentrollouts.models.drift import ALL, STAKES, Plan, Standing, Test, looked, planned
from agentrollouts.models.errors import ModelsError
from agentrollouts.release.documents import sentences

SCHEMA: Literal["agentrollouts.io/sentinel-state/v1"] = "agentrollouts.io/sentinel-state/v1"
NAMED = 3
"""Probes that a sentence names."""
SHOWN = 80
"""Characters of a probe's name in a sentence."""

Wealth = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...],
    Field(min_length=len(STAKES), max_length=len(STAKES)),
]


class State(BaseModel):
    """What is kept between two looks. ``about`` is the digest of the baseline and the options: another one is another question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Annotated[Literal["agentrollouts.io/sentinel-state/v1"], Field(alias="schema")] = SCHEMA
    about: str
    looks: Annotated[int, Field(ge=0)] = 0
    wealth: dict[str, Wealth] = Field(default_factory=dict)
    drifted: str = ""
    """What was said at the look that raised the alarm; it stays until there is another baseline."""

    @property
    def text(self) -> str:
        """As it is written to a file."""
        return json.dumps(self.model_dump(by_alias=True, mode="json"), ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Look:
    """What came of one look. ``silent`` are the probes that gave no answer, with what came instead."""

    state: State
    drifted: bool
    sentence: str
    silent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sentinel:
    """Everything that is the same at every look."""

    baseline: Results
    plan: Plan
    about: str

    @property
    def version(self) -> str:
        """Agent and version, as far as the baseline knows them."""
        return " ".join(filter(None, (self.baseline.agent, self.baseline.version))) or "the version"

    def state_in(self, text: str | None) -> tuple[State, bool]:
        """The state in a file's text, and whether it begins anew because it was about another baseline. Raises ModelsError."""
        if text is None:
            return State(about=self.about), False
        try:
            state = State.model_validate_json(text)
        except ValidationError as error:
            raise ModelsError(f"expected the state of a sentinel; {'; '.join(sentences(error))}") from error
        if state.about != self.about:
            return State(about=self.about), True
        if set(state.wealth) - {test.key for test in self.plan.tests}:
            raise ModelsError(
                "expected the state of these probes; it has others: remove the file to begin anew"
            )
        return state, False

    def look(self, state: State, attempts: Iterable[Attempt]) -> Look:
        """One more look. Attempts without an answer tell nothing about a model and are left out."""
        scores: dict[str, list[float]] = {}
        silent: dict[str, str] = {}
        for attempt in attempts:
            scores.setdefault(attempt.id, [])
            if attempt.error is None:
                scores[attempt.id].append(float(attempt.score))
            else:
                silent.setdefault(attempt.id, attempt.error)
        standing = looked(self.plan, Standing(state.looks, state.wealth), scores)
        stake = standing.stake(self.plan)
        drifted = bool(state.drifted) or stake >= self.plan.enough
        sentence = _sentence(self, standing, stake, scores)
        after = State(
            about=self.about,
            looks=standing.looks,
            wealth=dict(standing.wealth),
            drifted=state.drifted or (sentence if drifted else ""),
        )
        return Look(
            after, drifted, sentence, {name: silent[name] for name, found in scores.items() if not found}
        )


def sentinel(
    baseline: Results, *, dataset_digest: str, artifact_digest: str, alpha: float, allowed: float
) -> Sentinel:
    """The sentinel of a version. Raises ModelsError where the baseline is that of something else, or too small to tell anything."""
    cases = baseline.cases
    if not cases or baseline.partial:
        raise ModelsError(
            "expected a whole baseline with a score for each probe, as `agentrollout eval run` writes it"
        )
    if baseline.dataset_digest != dataset_digest:
        raise ModelsError(
            f"expected a baseline of these probes, {dataset_digest}; it is of {baseline.dataset_digest or 'others'}: record it again"
        )
    if artifact_digest and baseline.artifact_digest != artifact_digest:
        raise ModelsError(
            f"expected a baseline of the artifact {artifact_digest}; it is of {baseline.artifact_digest or 'another one'}:"
            " each version has a baseline of its own"
        )
    broken = [case.id for case in cases if case.error]
    if broken:
        raise ModelsError(
            f"expected a baseline without errors; {_names(broken)} had some: record it again while the version answers"
        )
    plan = planned(
        {case.id: [float(score) for score in case.scores] for case in cases}, alpha=alpha, allowed=allowed
    )
    if all(test.least <= 0.0 for test in plan.tests):
        raise ModelsError(
            f"expected a baseline with more repeats; {baseline.repeats} of {len(cases)} probes can't tell a drift from chance"
        )
    return Sentinel(baseline, plan, _about(baseline, plan))


def _about(baseline: Results, plan: Plan) -> str:
    content = [baseline.model_dump_json(), plan.alpha, plan.allowed]
    return f"sha256:{hashlib.sha256(json.dumps(content).encode()).hexdigest()}"


def _sentence(of: Sentinel, standing: Standing, stake: float, scores: Mapping[str, Sequence[float]]) -> str:
    answers = [score for found in scores.values() for score in found]
    now = f"{sum(answers) / len(answers):.4f}" if answers else "no score"
    all_of_it = next(test for test in of.plan.tests if test.probe == ALL)
    verdict = f"the evidence of a drift is {_amount(stake)}, the alarm is at {_amount(of.plan.enough)}; look {standing.looks}"
    said = f"{of.version} scored {now} on its probes, accepted with {all_of_it.accepted:.4f}: {verdict}"
    return said + _most(of.plan, standing, scores)


def _most(plan: Plan, standing: Standing, scores: Mapping[str, Sequence[float]]) -> str:
    """The probes with the most evidence, where there is any."""
    moved = sorted(
        (test for test in plan.tests if test.probe != ALL and standing.of(test) > 1.0),
        key=standing.of,
        reverse=True,
    )
    told = "; ".join(_moved(test, scores.get(test.probe, ())) for test in moved[:NAMED])
    return f". Most: {told}" if told else ""


def _moved(test: Test, found: Sequence[float]) -> str:
    accepted = test.accepted if test.way == "below" else 1.0 - test.accepted
    now = f"{sum(found) / len(found):.2f}" if found else "no answer"
    return f"{test.probe[:SHOWN]} {now}, accepted with {accepted:.2f}"


def _amount(stake: float) -> str:
    return f"{stake:.3g}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(name[:SHOWN] for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown


def document(of: Sentinel, found: Look) -> dict[str, Any]:
    """One look for programs."""
    standing = Standing(found.state.looks, found.state.wealth)
    return {
        "agent": of.baseline.agent,
        "version": of.baseline.version,
        "drifted": found.drifted,
        "look": found.state.looks,
        "evidence": standing.stake(of.plan),
        "alarm": of.plan.enough,
        "message": found.sentence,
        "first": found.state.drifted,
        "silent": dict(found.silent),
    }
