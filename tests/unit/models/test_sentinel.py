from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from agentrollouts.evals.attempts import Attempt, broken, results_of
from agentrollouts.evals.results import Results
from agentrollouts.models.errors import ModelsError
from agentrollouts.models.sentinel import Sentinel, State, sentinel

PROBES, ARTIFACT = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def attempts(scores: dict[str, int], times: int = 1) -> list[Attempt]:
    return [
        Attempt(name, Decimal(score), passed=bool(score))
        for name, score in scores.items()
        for _ in range(times)
    ]


def accepted(times: int = 20, **changes: Any) -> Results:
    about = {"agent": "support", "version": "2.0.0", "artifact_digest": ARTIFACT, "dataset_digest": PROBES}
    return results_of(attempts({"one": 1, "two": 1}, times), **{**about, **changes})


def made(baseline: Results | None = None, **changes: Any) -> Sentinel:
    options = {"dataset_digest": PROBES, "artifact_digest": ARTIFACT, "alpha": 0.01, "allowed": 0.05}
    return sentinel(baseline or accepted(), **{**options, **changes})


def test_what_answers_as_before_is_no_drift_and_what_doesnt_is_told_with_its_probe() -> None:
    of = made()
    state = of.state_in(None)[0]
    for _ in range(20):
        look = of.look(state, attempts({"one": 1, "two": 1}, 3))
        state = look.state
        assert not look.drifted
    for _ in range(6):
        look = of.look(state, attempts({"one": 1, "two": 0}, 3))
        state = look.state
    assert look.drifted
    assert look.sentence.startswith(
        "support 2.0.0 scored 0.5000 on its probes, accepted with 1.0000: the evidence of a drift is"
    )
    assert look.sentence.endswith(". Most: two 0.00, accepted with 1.00")


def test_an_alarm_stays_until_there_is_another_baseline() -> None:
    of = made()
    state = of.state_in(None)[0]
    while not state.drifted:
        state = of.look(state, attempts({"one": 0, "two": 0})).state
    first = state.drifted
    for _ in range(60):
        look = of.look(state, attempts({"one": 1, "two": 1}, 3))
        state = look.state
    assert (look.drifted, state.drifted) == (True, first)
    other = made(accepted(version="2.1.0"))
    assert other.state_in(state.text) == (State(about=other.about), True)


def test_a_state_goes_through_a_file_and_counts_on() -> None:
    of = made()
    state = of.look(of.state_in(None)[0], attempts({"one": 0, "two": 1})).state
    assert of.state_in(state.text) == (state, False)
    assert made(alpha=0.02).state_in(state.text)[1]
    assert made(allowed=0.06).state_in(state.text)[1]
    for text in (
        "",
        "{}",
        state.text.replace("below:one", "below:three"),
        state.text.replace('"looks":1', '"looks":-1'),
    ):
        if text != state.text:
            with pytest.raises(ModelsError, match="expected the state"):
                of.state_in(text)


def test_no_answer_is_no_drift_and_is_told() -> None:
    of = made()
    state = of.state_in(None)[0]
    for _ in range(100):
        look = of.look(state, [*attempts({"one": 1}), broken("two", "no answer within 60 s")])
        state = look.state
    assert (look.drifted, look.silent) == (False, {"two": "no answer within 60 s"})
    answered = of.look(state, [*attempts({"one": 1, "two": 1}), broken("two", "status 500")])
    assert answered.silent == {}


@pytest.mark.parametrize(
    ("baseline", "options", "words"),
    [
        (accepted(dataset_digest="sha256:" + "c" * 64), {}, "a baseline of these probes"),
        (accepted(), {"artifact_digest": "sha256:" + "c" * 64}, "each version has a baseline of its own"),
        (accepted(partial=True), {}, "a whole baseline"),
        (Results(mean_score=Decimal(1)), {}, "a whole baseline"),
        (accepted(1), {}, "with more repeats; 1 of 2 probes"),
        (results_of([*attempts({"one": 1}), broken("two", "x")], dataset_digest=PROBES), {"artifact_digest": ""}, "without errors; two had some"),
    ],
)  # fmt: skip
def test_a_baseline_that_tells_nothing_is_refused(
    baseline: Results, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelsError, match=words):
        made(baseline, **options)
