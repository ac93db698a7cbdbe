"""What a trial does with looks: which side is compared, what closes a block, and what lost sums do."""

from __future__ import annotations

from itertools import product

from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, Trial, begun, looked
from tests.unit.core.sequential.chances import EXACT

SUCCESS = (Criterion("success", Success(), 1.0),)


def reading(n: float, total: float, assigned: float = 0.0) -> Reading:
    """Whole sessions."""
    return Reading(n, ({"total": total, "squares": total},), assigned)


def cohorts(*each: tuple[float, float]) -> Cohorts:
    return Cohorts(*(reading(n, total) for n, total in each))


def worse(trial: Trial) -> float:
    return trial.courses[0].worse


NOTHING = cohorts((0, 0), (0, 0), (0, 0))


def test_the_block_that_shows_control_and_stable_to_differ_is_still_compared_with_both() -> None:
    """Leaving stable out because of how this block came out would be a choice made after the fact."""
    trial = begun(SUCCESS, cohorts((0, 0), (0, 0), (60, 30)))._replace(alike=(45.0, 150.0))
    mean, apart = 0.0, 0
    for one in product((0, 1), repeat=5):  # all versions succeed every other time
        now = cohorts((1, one[0]), (1, one[1]), (63, 30 + sum(one[2:])))
        after = looked(SUCCESS, trial, now)
        mean, apart = mean + worse(after) / 32, apart + after.apart
    assert 0 < apart < 32
    assert mean <= 0.7 + EXACT
