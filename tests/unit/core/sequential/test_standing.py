"""What a trial says: who is taken out and why, and what a candidate lacks for its next step."""

from __future__ import annotations

from math import log

import pytest

from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.split import Split
from agentrollouts.core.sequential.standing import Budget, Standing, standing
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.trial import Criterion, Sides, Trial

BUDGET = Budget(0.05, 0.1)


def test_all_metrics_share_one_budget() -> None:
    weak = Standing(
        worse=(20.0, 18.0), good=(1.0, 1.0), weights=(0.5, 0.5), holding=(False, False), split=1.0
    )
    assert weak.against == pytest.approx(19.0)
    assert not weak.rolls_back(BUDGET)
    both = weak._replace(worse=(20.0, 20.0))
    assert both.rolls_back(BUDGET)
    assert both.blamed(BUDGET) == (0,)
    assert both._replace(worse=(39.0, 41.0)).blamed(BUDGET) == (1,)
    assert both._replace(worse=(50.0, 41.0)).blamed(BUDGET) == (0, 1)


def test_a_metric_that_is_only_observed_takes_nobody_out_and_holds_nobody() -> None:
    observed = Standing(
        worse=(1e9, 1.0), good=(0.0, 99.0), weights=(0.0, 1.0), holding=(False, False), split=1.0
    )
    assert not observed.rolls_back(BUDGET)
    assert observed.lacking(10.0) == ()


def test_a_criterion_that_holds_takes_nobody_out() -> None:
    drifting = Standing(
        worse=(1e9, 1.0), good=(None, 99.0), weights=(0.5, 0.5), holding=(True, False), split=1.0
    )
    assert not drifting.rolls_back(BUDGET)
    assert drifting.lacking(10.0) == (0,)


def test_every_metric_has_to_let_the_candidate_advance() -> None:
    now = Standing(
        worse=(0.1, 0.9, 1.1),
        good=(9.9, None, None),
        weights=(0.4, 0.3, 0.3),
        holding=(False, False, True),
        split=1.0,
    )
    assert now.lacking(10.0) == (0, 2)
    assert now.lacking(9.9) == (2,)


def test_the_ladder_of_evidence_ends_at_the_whole_budget() -> None:
    assert [BUDGET.in_favour(stage, 4) for stage in (1, 2, 4)] == pytest.approx([10**0.25, 10**0.5, 10.0])
    assert BUDGET.against == pytest.approx(20.0)


def test_a_standing_sums_bets_averages_parts_and_takes_the_least_in_favour() -> None:
    criteria = (
        Criterion("success", Success(), 0.6),
        Criterion("refusals", Events(), 0.4),
        Criterion("tools", Mix(), 0.0),
    )
    empty = Block(0.0, {})
    trial = Trial(
        (Sides(empty, empty, empty),) * 3,
        (
            Course(1, against=((1.0, 2.0), (3.0, 4.0)), favour=((1.0, 2.0), (0.5,))),
            Course(1, against=((1.0,),), favour=((2.0,),)),
            Course(),
        ),
        split=Split(log(1000.0) + 1e-9),
    )
    now = standing(criteria, trial)
    assert now.worse == (5.0, 1.0, 0.0)
    assert now.good == (0.5, 2.0, None)
    assert now.weights == (0.6, 0.4, 0.0)
    assert now.is_split_wrongly
    assert not now._replace(split=999.0).is_split_wrongly
