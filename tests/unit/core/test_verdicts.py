"""Verdicts of a trial: what each takes, whom it blames, what the next step needs, and the sentences with the numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentrollouts.api.checks import CheckSpec
from agentrollouts.api.presets import PRESETS
from agentrollouts.core.analysis import run_checks
from agentrollouts.core.checks import CheckResult, Verdict
from agentrollouts.core.criteria import rules
from agentrollouts.core.evidence import Cell
from agentrollouts.core.sentences import told
from agentrollouts.core.sequential.confidence import MARGINS, Confidence, Side
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.trial import Sides
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.verdicts import needed
from tests.builders import climbing, step
from tests.sessions import CANDIDATE, CONTROL, SEQUENTIAL, STABLE, Tried, closed, scored

SUCCESS = {"name": "success", "successRate": {}}
COST = {"name": "cost", "cost": {}}


def results(tried: Tried) -> dict[str, CheckResult]:
    return {result.name: result for result in run_checks(tried.seen())}


def tried(*checks: dict[str, Any], **analysis: Any) -> Tried:
    return Tried.begun(analysis={"checks": list(checks or (SUCCESS,)), **analysis})


def after(good: int, of: int, *checks: dict[str, Any], **analysis: Any) -> dict[str, CheckResult]:
    """Verdicts once the candidate has had so many sessions, and the old version 300 of which 291 were all success."""
    one = tried(*checks, **analysis)
    one.add(STABLE, 300, 291)
    one.add(CANDIDATE, of, good)
    return results(one)


@pytest.mark.parametrize(
    ("good", "of", "verdict"),
    [
        (10, 10, Verdict.INCONCLUSIVE),
        (200, 200, Verdict.PASS),
        (18, 22, Verdict.WARN),
        (5, 20, Verdict.FAIL),
    ],
)
def test_what_the_evidence_comes_to(good: int, of: int, verdict: Verdict) -> None:
    assert after(good, of)["success"].verdict is verdict


def test_a_sentence_has_the_numbers_and_where_the_difference_lies() -> None:
    assert after(200, 200)["success"].reason == (
        "succeeded 100.0% of 200 sessions against 97.0% of 300: +3.0 points [-0.5, +8.0];"
        " evidence against it 0 of 20, for the next step 4,901 of 2.7"
    )


def test_before_anything_is_known_there_is_no_interval() -> None:
    (rule,) = rules(CheckSpec.model_validate(SUCCESS), PRESETS["default"])
    some = Block(4.0, {"total": 3.0, "squares": 3.0})
    sentence = told(rule, Sides(some, some, some), Course(), apart=False, confidence=Confidence())
    assert sentence == "succeeded 75.0% of 4 sessions against 75.0% of 8: 0.0 points"


def test_a_difference_that_changed_is_said_to_have() -> None:
    (rule,) = rules(CheckSpec.model_validate(SUCCESS), PRESETS["default"])
    some, sure = Block(4.0, {"total": 3.0, "squares": 3.0}), Side(most=(9.0,) * len(MARGINS))
    sentence = told(rule, Sides(some, some, some), Course(), apart=True, confidence=Confidence(sure, sure))
    assert (
        sentence == "succeeded 75.0% of 4 sessions against 75.0% of 4: 0.0 points, and it changed on the way"
    )


def test_evidence_is_no_pass_and_no_failure_while_nothing_was_counted() -> None:
    found = results(tried(SUCCESS, COST, {"name": "errors", "failureRate": {"max": "1%"}}))
    assert {result.verdict for result in found.values()} == {Verdict.INCONCLUSIVE}
    assert all(result.missing for result in found.values())
    assert found["success"].reason == "waiting for closed sessions of both versions"
    assert found["errors"].reason == "waiting for closed sessions of the candidate"


def test_before_the_first_share_the_trial_hasnt_begun() -> None:
    s = step(climbing(analysis=SEQUENTIAL))
    assert {(r.verdict, r.reason) for r in run_checks(s)} == {
        (Verdict.INCONCLUSIVE, "the trial hasn't begun")
    }


def test_who_doesnt_report_is_named() -> None:
    one = tried({"name": "down", "events": {"event": "regenerate"}})
    one.add(STABLE, 300)
    one.add(CANDIDATE, 300)
    series = 'agent_session_event_fraction_total{event="regenerate"}'
    (result,) = results(one).values()
    assert (result.verdict, result.missing) == (Verdict.INCONCLUSIVE, True)
    assert result.reason == f"the candidate doesn't report {series}"
    one.totals[CANDIDATE][Cell("agent_session_event_fraction_total", "regenerate")] = 0.0
    assert results(one)["down"].reason == f"the old version doesn't report {series}"
    one.totals[CONTROL][Cell("agent_session_event_fraction_total", "regenerate")] = 0.0
    assert (
        "regenerate in 0.0% of 300 sessions" not in results(one)["down"].reason
    )  # stable's still are unknown


def test_a_limit_needs_no_old_version_that_reports() -> None:
    """A score that only the new version has can still be too bad."""
    limit = {
        "name": "tox",
        "score": {"name": "toxicity", "better": "lower", "limit": "10%", "maxChange": "100%"},
    }
    for mean, verdict in ((0.05, Verdict.PASS), (0.9, Verdict.FAIL)):
        one = tried(limit)
        one.totals[CANDIDATE] = scored(100, mean)
        assert results(one)["tox"].verdict is verdict


def test_a_check_is_as_bad_as_the_worst_of_what_it_tests() -> None:
    both = {"name": "success", "successRate": {"min": "99.9%", "maxDrop": "50%", "tolerance": "50%"}}
    result = after(160, 200, both)["success"]
    assert result.verdict is Verdict.FAIL
    assert result.reason.count("evidence against it") == 2


def test_the_one_that_weighs_most_is_blamed_where_none_suffices_alone() -> None:
    """Two that are each nearly beyond doubt are so together."""
    rare = [{"name": name, "events": {"event": name}} for name in ("thumbsDown", "takeover")]
    events = {"thumbs_down": 5.3, "takeover": 5.5}
    one = tried(*rare, SUCCESS | {"weight": 1})
    one.add(STABLE, 300, 291, events={"takeover": 3.0, "thumbs_down": 3.0})
    one.add(CANDIDATE, 40, 39, events=events)
    found = results(one)
    assert one.trial is not None
    assert max(course.worse for course in one.trial.courses) < 44  # what one of them would need alone
    assert found["thumbsDown"].verdict is Verdict.FAIL
    assert found["takeover"].verdict is Verdict.WARN
    assert {round(r.toward_failure, 9) for r in found.values()} == {1.0}


def test_all_that_suffice_alone_are_blamed() -> None:
    one = tried(SUCCESS, {"name": "down", "events": {"event": "thumbsDown"}}, COST)
    one.add(STABLE, 300, 291)
    one.add(CANDIDATE, 60, 6, events={"thumbs_down": 60.0})
    found = results(one)
    assert [name for name, result in found.items() if result.verdict is Verdict.FAIL] == ["success", "down"]


def test_what_failed_stays_so_when_nobody_reports_it_any_more() -> None:
    one = tried()
    one.add(STABLE, 300, 291)
    one.add(CANDIDATE, 60, 6)
    assert results(one)["success"].verdict is Verdict.FAIL
    one.totals[CANDIDATE] = {}
    assert results(one)["success"].verdict is Verdict.FAIL


def test_a_dry_run_of_what_only_holds_never_says_that_it_fails() -> None:
    """A mix of tools that moved is no failure in itself, whether it may hold the candidate or is only observed."""
    one = tried(SUCCESS, {"name": "mix", "toolMix": {}, "dryRun": True})
    for n in range(10, 210, 10):
        one.add(STABLE, 50)
        one.totals[CANDIDATE] = closed(n) | {
            Cell("agent_session_tool_fraction_total", "none"): 0.0,
            Cell("agent_session_tool_fraction_total", "search"): float(n),
        }
        found = results(one)["mix"]
    assert one.trial is not None
    assert one.trial.courses[1].worse > 20.0
    assert (found.verdict, found.dry_run) == (Verdict.WARN, True)


def test_a_dry_run_says_what_it_would_say_alone_and_decides_nothing() -> None:
    dry = {"name": "down", "events": {"event": "thumbsDown"}, "dryRun": True}
    for n, down, verdict in (
        (5, 0.0, Verdict.INCONCLUSIVE),
        (60, 0.0, Verdict.PASS),
        (60, 60.0, Verdict.FAIL),
    ):
        one = tried(SUCCESS, dry)
        one.add(STABLE, 300, 291)
        one.add(CANDIDATE, n, n, events={"thumbs_down": down})
        result = results(one)["down"]
        assert (result.verdict, result.dry_run, result.fails) == (verdict, True, False)
        assert result.toward_failure == 0.0
        assert one.look()[1].status.candidate is not None


def test_one_part_of_a_check_that_nobody_measures_is_missing_evidence() -> None:
    """The limit is kept; whether it is worse than before, nobody can know."""
    one = tried({"name": "tox", "score": {"name": "toxicity", "better": "lower", "limit": "50%"}})
    one.totals[CANDIDATE] = scored(100, 0.05)
    result = results(one)["tox"]
    assert (result.verdict, result.missing) == (Verdict.INCONCLUSIVE, True)
    assert "the old version doesn't report agent_session_scores_total" in result.reason


def test_how_far_it_is_on_the_way_is_that_of_all_checks_together() -> None:
    assert after(200, 200, SUCCESS, COST)["success"].toward_failure == 0.0
    some = after(18, 22, SUCCESS, COST)
    assert 0.2 < some["success"].toward_failure == some["cost"].toward_failure < 1.0
    assert after(5, 20)["success"].toward_failure == 1.0
    assert after(18, 22, SUCCESS, COST | {"dryRun": True})["cost"].toward_failure == 0.0


@pytest.mark.parametrize(
    ("spec", "share", "evidence"),
    [
        ({}, 0, 20 ** (1 / 3)),
        ({}, 500, 20 ** (1 / 3)),
        ({}, 2_000, 20 ** (2 / 3)),
        ({}, 5_000, 20.0),
        ({"strategy": {"steps": [{"share": "50%"}]}}, 5_000, 20.0),
        ({"analysis": {"errorBudget": {"falsePromotion": "1%"}}}, 5_000, 100.0),
        ({"strategy": {"selfTuning": {}}}, 500, 20**0.25),
        ({"strategy": {"selfTuning": {}}}, 8_500, 20.0),
        ({"strategy": {"selfTuning": {"ceiling": "50%"}}}, 5_000, 20**0.5),
    ],
    ids=str,
)
def test_every_step_needs_a_part_of_what_the_last_one_does(
    spec: dict[str, Any], share: int, evidence: float
) -> None:
    start = 5_000 if spec.get("strategy", {}).get("steps") else 500
    assert needed(at(climbing(start, **spec), share)) == pytest.approx(evidence)


def at(s: Snapshot, share: int) -> Snapshot:
    assert s.status.candidate is not None
    candidate = s.status.candidate.model_copy(update={"share": share})
    return replace(s, status=s.status.model_copy(update={"candidate": candidate}))


def test_the_error_budget_is_what_a_failure_takes() -> None:
    for risk, verdict in (("5%", Verdict.WARN), ("50%", Verdict.FAIL)):
        assert after(20, 24, errorBudget={"falseRollback": risk})["success"].verdict is verdict


def test_the_numbers_are_for_people() -> None:
    """No exponents, no digits that say nothing, no minus in front of nothing."""
    for good, of in ((2_000, 2_000), (0, 3_000), (291, 300), (1, 3)):
        reason = after(good, of, SUCCESS, COST)["success"].reason
        assert "e+" not in reason
        assert "-0.0" not in reason
        assert "+0.0" not in reason
    assert "over a million of 25," in after(0, 3_000, SUCCESS, COST)["success"].reason
    assert "mean cost $0.02 a task against $0.02, each cut at $0.1, over 300 sessions against 300: 0.0%" in (
        after(291, 300, COST)["cost"].reason
    )


def test_a_little_cost_is_still_a_number() -> None:
    one = tried(COST)
    for arm, n in ((STABLE, 300), (CANDIDATE, 50)):
        cells = closed(n)
        for cap in (1.0, 0.1):
            cells[Cell("agent_session_capped_cost_fraction_total", f"{cap:g}")] = n * 1.23456e-6 / cap
            cells[Cell("agent_session_capped_cost_fraction_squares_total", f"{cap:g}")] = n * 2e-12 / cap**2
        one.totals[arm] = cells
    assert "mean cost $0.00000123 a task against $0.00000123," in results(one)["cost"].reason


@pytest.mark.parametrize(("dollars", "verdict"), [(0.02, Verdict.PASS), (0.03, Verdict.WARN)])
def test_tasks_dearer_than_their_fixed_limit_hold_the_candidate(dollars: float, verdict: Verdict) -> None:
    """Dollars are known of tasks only, so the limit is no test and takes nobody out."""
    one = tried({"name": "cost", "cost": {"max": "0.02"}})
    one.add(STABLE, 3000)
    one.add(CANDIDATE, 1000)
    one.totals[CANDIDATE][Cell("agent_task_cost_usd_total")] = 3000 * dollars
    found = results(one)["cost"]
    assert found.verdict is verdict
    assert ("$0.030000 a task over 3000 tasks, at most $0.02" in found.reason) == (verdict is Verdict.WARN)
