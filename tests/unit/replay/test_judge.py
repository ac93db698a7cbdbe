from __future__ import annotations

from dataclasses import replace

import pytest

from agentrollouts.core.checks.result import Verdict
from agentrollouts.replay.attempt import Lane
from agentrollouts.replay.comparison import Rule, Tools
from agentrollouts.replay.disagreement import comparisons, pairs
from agentrollouts.replay.interval import Pairs
from agentrollouts.replay.judge import Limits, judge
from tests.unit.replay.made import LABEL, attempt, compared, record

LIMITS = Limits(0.05)
SAME, MINE, THEIRS, BOTH = ("shipped", "shipped"), ("lost", "shipped"), ("shipped", "lost"), ("lost", "lost")


def test_noise_that_both_lanes_have_is_no_change_of_the_candidate() -> None:
    """What the naive comparison with the record would call 40 % of changed decisions is the agent's own chance."""
    noisy = compared([SAME] * 1200 + [MINE] * 200 + [THEIRS] * 200 + [BOTH] * 400)
    found = judge(noisy, LIMITS)
    assert found.verdict is Verdict.PASS
    assert found.candidate is not None
    assert found.candidate.estimate == pytest.approx(0.3)
    assert (found.excess and found.excess.estimate, found.both) == (0, 400)


@pytest.mark.parametrize(
    ("tasks", "verdict"),
    [
        ([SAME] * 200, Verdict.PASS),
        ([SAME] * 160 + [MINE] * 40, Verdict.FAIL),
        ([SAME] * 190 + [MINE] * 10, Verdict.INCONCLUSIVE),
        ([SAME] * 20, Verdict.INCONCLUSIVE),
        ([], Verdict.INCONCLUSIVE),
        ([SAME] * 90 + [BOTH] * 110, Verdict.INCONCLUSIVE),
        ([BOTH] * 110 + [MINE] * 90, Verdict.FAIL),
    ],
)
def test_verdicts(tasks: list[tuple[str, str]], verdict: Verdict) -> None:
    assert judge(compared(tasks), LIMITS).verdict is verdict


def test_exactly_the_limit_is_on_the_passing_side() -> None:
    tasks = compared([SAME] * 200)
    found = judge(tasks, LIMITS)
    assert found.excess is not None
    assert judge(tasks, Limits(found.excess.high)).verdict is Verdict.PASS
    failing = compared([SAME] * 160 + [MINE] * 40)
    low = judge(failing, LIMITS).excess
    assert low is not None
    assert judge(failing, Limits(low.low)).verdict is Verdict.INCONCLUSIVE


def test_few_tasks_are_told_how_many_would_do() -> None:
    found = judge(compared([SAME] * 20), LIMITS)
    assert found.needed is not None
    assert judge(compared([SAME] * found.needed), LIMITS).verdict is Verdict.PASS
    assert judge(compared([SAME] * (found.needed - 1)), LIMITS).verdict is Verdict.INCONCLUSIVE
    assert f"about {found.needed} tasks" in found.message


def test_an_incumbent_that_cant_repeat_its_record_makes_a_pass_impossible() -> None:
    """Where the incumbent changes everything, nothing is left that the candidate could change beyond it."""
    found = judge(compared([BOTH] * 2000), LIMITS)
    assert (found.verdict, found.excess and found.excess.high <= 0.05) == (Verdict.INCONCLUSIVE, True)
    assert "the incumbent itself changed 100.0%" in found.message
    assert judge(compared([BOTH] * 2000), Limits(0.05, noise=1.0)).verdict is Verdict.PASS


def acts(safe: bool, rule: Rule = LABEL, **told: object) -> tuple[bool, bool]:
    """Whether candidate and incumbent changed a task in which only the candidate calls `pay`."""
    safe_tools = ["look", "pay"] if safe else ["look"]
    look = {"name": "look", "arguments": {"order": "1"}}
    task = record(1, toolCalls=[look])
    done = {
        (task.id, Lane.CANDIDATE): attempt(
            1, Lane.CANDIDATE, told={"calls": [{"name": "pay"}, look], "safeTools": safe_tools} | told
        ),
        (task.id, Lane.INCUMBENT): attempt(1, Lane.INCUMBENT, told={"calls": [], "safeTools": ["look"]}),
    }
    (found,) = comparisons([task], done, rule)
    return found.by_candidate.changed, found.by_incumbent.changed


def test_the_same_words_with_another_deed_are_another_decision() -> None:
    """Who compares answers only doesn't see that the candidate pays."""
    assert acts(safe=False) == (True, False)
    assert acts(safe=True) == (False, False), (
        "a tool that is new and safe is no deed; nor is one less look-up"
    )
    assert acts(safe=False, rule=replace(LABEL, tools=Tools.NONE)) == (False, False)
    assert acts(safe=True, rule=replace(LABEL, tools=Tools.ALL)) == (True, True)


def test_a_candidate_cant_call_a_known_tool_safe() -> None:
    pay = {"name": "pay", "arguments": {"order": "1"}}
    task = record(1, toolCalls=[pay])
    done = {
        (task.id, Lane.CANDIDATE): attempt(
            1, Lane.CANDIDATE, told={"calls": [pay, pay], "safeTools": ["pay"]}
        ),
        (task.id, Lane.INCUMBENT): attempt(1, Lane.INCUMBENT, told={"calls": [pay]}),
    }
    (found,) = comparisons([task], done, LABEL)
    assert (found.by_candidate.changed, found.by_incumbent.changed) == (True, False)


def test_a_task_counts_once_both_lanes_have_done_it() -> None:
    tasks = [record(1), record(2)]
    done = {(tasks[0].id, lane): attempt(1, lane) for lane in Lane} | {
        (tasks[1].id, Lane.CANDIDATE): attempt(2, Lane.CANDIDATE, "lost")
    }
    assert pairs(comparisons(tasks, done, LABEL)) == Pairs(0, 0, 1)


def test_what_never_answered_has_changed_its_decision() -> None:
    task = record(1)
    done = {
        (task.id, Lane.CANDIDATE): attempt(1, Lane.CANDIDATE, answer=None, error="no answer within 60 s"),
        (task.id, Lane.INCUMBENT): attempt(1, Lane.INCUMBENT),
    }
    (found,) = comparisons([task], done, LABEL)
    assert (found.by_candidate.changed, found.by_incumbent.changed, found.between.changed) == (
        True,
        False,
        True,
    )
