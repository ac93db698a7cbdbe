"""The quality gate: verdicts to a score, failed looks to a rollback. Each rule has a story of the kind it is for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.checks import CheckSpec
from agentrollouts.core.checks import CheckResult, Verdict
from agentrollouts.core.decision import Advance, Hold, Rollback
from agentrollouts.core.evidence import Cell, Evidence
from agentrollouts.core.plan import PatchRolloutStatus, SetRoute
from agentrollouts.core.quality_gate import score
from agentrollouts.core.snapshot import Snapshot
from tests.builders import (
    AT_ONCE,
    UNAVAILABLE,
    carry_out,
    climbing,
    evidence,
    good,
    later,
    look,
    step,
    version,
)

P, W, F, INCONCLUSIVE = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.INCONCLUSIVE


def gate(*checks: tuple[Verdict, int] | tuple[Verdict, int, str]) -> Any:
    """The gate over checks given as (verdict, weight), with ``critical`` or ``dryRun`` behind."""
    specs, results = [], []
    for number, (verdict, weight, *more) in enumerate(checks):
        fields = {"name": f"c{number}", "weight": weight, "cost": {}} | dict.fromkeys(more, True)
        specs.append(CheckSpec.model_validate(fields))
        result = CheckResult(f"c{number}", verdict, "because")
        results.append(result.as_dry_run() if "dryRun" in more else result)
    return score(results, specs)


@pytest.mark.parametrize(
    ("checks", "verdict", "value"),
    [
        ([(P, 10)], P, 1.0),
        ([(P, 80), (F, 20)], P, 0.8),
        ([(P, 79), (F, 21)], W, 0.79),
        ([(P, 50), (F, 50)], W, 0.5),
        ([(P, 49), (F, 51)], F, 0.49),
        ([(F, 1)], F, 0.0),
    ],
    ids=lambda value: str(value) if isinstance(value, float) else "",
)
def test_the_score_is_the_weight_that_passes(checks: list[Any], verdict: Verdict, value: float) -> None:
    found = gate(*checks)
    assert (found.verdict, found.score) == (verdict, value)


def test_a_critical_check_fails_the_gate_whatever_its_weight() -> None:
    assert gate((P, 99), (F, 1)).verdict is P
    assert gate((P, 99), (F, 1, "critical")).verdict is F


def test_what_is_missing_is_neither_zero_nor_a_pass() -> None:
    """The seed counts a metric that isn't there as 0.0; here it takes its weight with it."""
    found = gate((P, 60), (INCONCLUSIVE, 40))
    assert (found.verdict, found.score, found.inconclusive) == (P, 1.0, ("c1",))
    assert gate((P, 49), (INCONCLUSIVE, 51)).verdict is INCONCLUSIVE
    assert gate((P, 50), (INCONCLUSIVE, 50)).verdict is P


def test_a_critical_check_that_says_nothing_silences_the_gate_unless_another_critical_one_fails() -> None:
    assert gate((P, 90), (INCONCLUSIVE, 1, "critical")).verdict is INCONCLUSIVE
    assert gate((F, 90), (INCONCLUSIVE, 1, "critical")).verdict is INCONCLUSIVE
    assert gate((F, 1, "critical"), (INCONCLUSIVE, 90, "critical")).verdict is F


def test_no_checks_are_no_failure() -> None:
    """The seed scores an empty list of checks 0, which is a FAIL."""
    found = score([], [])
    assert (found.verdict, found.score) == (INCONCLUSIVE, None)
    assert "no check that decides" in found.message


def test_dry_runs_have_no_part_in_it() -> None:
    assert gate((P, 1), (F, 99, "dryRun")).verdict is P
    assert gate((F, 99, "dryRun", "critical"), (P, 1)).verdict is P
    assert gate((P, 99, "dryRun")).verdict is INCONCLUSIVE


def test_a_check_nobody_judged_is_inconclusive() -> None:
    assert score([], [CheckSpec.model_validate({"name": "x", "cost": {}})]).verdict is INCONCLUSIVE


def test_noise_alone_never_fails_the_gate() -> None:
    """Worse than allowed and not beyond noise is a WARN; nobody could say what failed."""
    found = gate((W, 60), (P, 35))
    assert (found.verdict, found.failing) == (W, ())
    assert gate((W, 60), (F, 5), (P, 30)).verdict is F


def test_the_sentence_has_the_score_and_what_stands_against_a_pass() -> None:
    assert gate((P, 60), (F, 20), (INCONCLUSIVE, 20)).message == (
        "score 0.75, 0.8 needed; c1 FAIL: because; c2 INCONCLUSIVE: because"
    )


BAD = {("2.0.0", "candidate"): (0, 40), ("1.0.0", "control"): (40, 0)}
WARNS = {("2.0.0", "candidate"): (36, 4), ("1.0.0", "control"): (970, 30)}
FEW = {("2.0.0", "candidate"): (10, 0), ("1.0.0", "control"): (40, 0)}
SUCCESS = {"checks": [{"name": "success", "successRate": {}}]}
LOOKS = {"F": BAD, "W": WARNS, "I": FEW}


def watched(letters: str, *, seconds: float = 60, **analysis: Any) -> Snapshot:
    """A candidate after so many looks: F fails, W warns, P passes, I says too little, U can't be read."""
    s = climbing(analysis=SUCCESS | analysis)
    for letter in letters:
        s = later(s, seconds=seconds)
        found = good(100, s.now) if letter == "P" else evidence(LOOKS.get(letter, FEW), s.now)
        s = step(s, evidence=UNAVAILABLE if letter == "U" else found)
    return s


def out(s: Snapshot) -> str:
    """Why the candidate was taken out; empty when it wasn't."""
    return s.status.rejected.reason if s.status.rejected else ""


@pytest.mark.parametrize("letters", ["FF", "FFPF", "FFWF", "FFIUI", "WWWWWWWWWW", "FPFPFPPFPF"])
def test_too_few_failed_looks_are_no_rollback(letters: str) -> None:
    assert out(watched(letters)) == ""


@pytest.mark.parametrize("letters", ["FFF", "PPFFF", "FIFIF", "FUFF", "FWFFWF", "FWFFPF"])
def test_enough_failed_looks_are(letters: str) -> None:
    """Three in a row, what can't be read aside; and four of six, or F W F F W F would never end."""
    assert out(watched(letters[:-1])) == ""
    assert out(watched(letters)) == "CheckFailed"


def test_the_rollback_says_how_many_looks_failed_and_with_which_numbers() -> None:
    message = watched("FFF").status.rejected.message  # type: ignore[union-attr]
    assert message.startswith(
        "3 of the last 3 looks failed: success not successful 100.0% of 40 against 0.0% of 40"
    )
    assert watched("FWFFWF").status.rejected.message.startswith("4 of the last 6 looks failed")  # type: ignore[union-attr]


def test_looks_count_once_a_while_however_often_one_looks() -> None:
    assert out(watched("F" * 119, seconds=1)) == ""
    assert out(watched("F" * 122, seconds=1)) == "CheckFailed"


@pytest.mark.parametrize(
    ("failures", "letters"),
    [
        ({"consecutive": 1}, "F"),
        ({"consecutive": 2}, "FF"),
        ({"consecutive": 9, "atLeast": 2, "outOf": 3}, "FPF"),
        ({"consecutive": 5, "atLeast": 5, "outOf": 5}, "FFFFF"),
    ],
)
def test_the_rule_is_the_users(failures: dict[str, int], letters: str) -> None:
    assert out(watched(letters[:-1], failures=failures)) == ""
    assert out(watched(letters, failures=failures)) == "CheckFailed"


def test_a_candidate_that_never_fails_writes_nothing_for_it() -> None:
    s = watched("PP")
    assert s.status.candidate is not None
    assert s.status.candidate.looks == ()
    _, plan = look(replace(later(s, seconds=60), evidence=good(100)))
    assert not any(isinstance(action, PatchRolloutStatus) for action in plan.actions)


def test_the_ring_is_written_when_it_grows_and_only_then() -> None:
    s = watched("F")
    for seconds, written in ((59, False), (60, True)):
        _, plan = look(later(s, seconds=seconds))
        assert any(isinstance(action, PatchRolloutStatus) for action in plan.actions) is written, seconds
        assert not any(isinstance(action, SetRoute) for action in plan.actions)


def test_the_ring_is_bounded_and_forgets_what_makes_no_difference() -> None:
    s = watched("FPPPPP")
    assert s.status.candidate is not None
    assert len(s.status.candidate.looks) == 6
    s = step(later(s, seconds=60), evidence=good(100))
    assert s.status.candidate is not None
    assert s.status.candidate.looks == ()


def test_the_ring_outlives_the_operator() -> None:
    """All there is to know is in the status: an operator that starts anew goes on counting."""
    s = watched("FF")
    reborn = replace(s, status=type(s.status).model_validate(s.status.model_dump(mode="json", by_alias=True)))
    assert out(step(later(reborn, seconds=60))) == "CheckFailed"


def test_a_new_candidate_begins_with_an_empty_ring() -> None:
    s = watched("FF")
    other = {**s.versions, "2.1.0": version("2.1.0", "c")}
    wanted = s.spec.model_copy(update={"version": "2.1.0"})
    s = step(later(s, seconds=1), versions=other, spec=wanted)
    assert s.status.candidate is not None
    assert (s.status.candidate.version, s.status.candidate.looks) == ("2.1.0", ())


@pytest.mark.parametrize(
    ("counts", "reason", "blind"),
    [(BAD, "ChecksFail", False), (WARNS, "ChecksWarn", False), (None, "NoEvidence", True)],
)
def test_whatever_isnt_a_pass_holds(counts: Any, reason: str, blind: bool) -> None:
    s = later(climbing(analysis=SUCCESS), minutes=16)
    decision, _ = look(replace(s, evidence=evidence(counts, s.now) if counts else UNAVAILABLE))
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.no_evidence) == (reason, blind)


def test_a_gate_without_a_word_holds_and_its_deadline_runs() -> None:
    """Enough tasks of the candidate, too few of the old version: nothing can be compared."""
    s = later(climbing(analysis=SUCCESS), minutes=16)
    found = evidence({("2.0.0", "candidate"): (100, 0), ("1.0.0", "control"): (3, 0)}, s.now)
    decision, _ = look(replace(s, evidence=found))
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.no_evidence) == ("ChecksInconclusive", True)
    assert "3 of 20 tasks of the old version" in decision.message


def test_an_empty_window_is_no_perfect_version() -> None:
    s = later(climbing(analysis=SUCCESS), minutes=16)
    decision, _ = look(replace(s, evidence=evidence({}, s.now)))
    assert isinstance(decision, Hold)
    assert decision.no_evidence


def test_a_light_failure_doesnt_stop_a_candidate_whose_score_is_high() -> None:
    checks = [{"name": "success", "successRate": {}}, {"name": "own", "ratio": _OWN}]
    s = later(climbing(analysis={"checks": checks}), minutes=16)
    decision, _ = look(replace(s, evidence=_with_own(good(100, s.now), bad=90)))
    assert isinstance(decision, Advance)


_OWN = {"bad": "bad_total", "total": "all_total", "max": "1%"}


def _with_own(found: Evidence, *, bad: float) -> Evidence:
    total = {
        arm: {**cells, Cell("bad_total"): bad, Cell("all_total"): 100.0} for arm, cells in found.total.items()
    }
    return replace(found, total=total, recent=total)


def test_in_sequential_mode_no_look_is_kept() -> None:
    s = watched("W", mode="sequential")
    assert s.status.candidate is not None
    assert s.status.candidate.looks == ()


def test_a_self_tuning_rollout_without_checks_is_judged_by_its_failure_rate_alone() -> None:
    s = climbing(strategy={"selfTuning": {"interval": "1m"}})
    assert isinstance(look(replace(later(s, minutes=2), evidence=good(100)))[0], Advance)


def test_a_rollback_changes_traffic_first_and_keeps_what_was_measured() -> None:
    """In the seed a rollback touches more than the routing; here one route write, and the verdicts stay readable."""
    s = later(climbing(analysis=SUCCESS | AT_ONCE), seconds=4)
    s = replace(s, evidence=evidence(BAD, s.now))
    decision, plan = look(s)
    assert isinstance(decision, Rollback)
    first = carry_out(s, plan, upto=1)
    assert isinstance(plan.actions[0], SetRoute)
    assert first.route is not None
    assert [(arm.cohort, arm.share) for arm in first.route.spec.arms] == [("stable", 10_000)]
    after = carry_out(s, plan)
    assert [(check.name, check.verdict) for check in after.status.checks] == [("success", "FAIL")]
    assert "100.0% of 40" in after.status.history[-1].message


def test_a_rule_that_is_tightened_counts_what_was_seen() -> None:
    s = watched("FF")
    tighter = s.spec.model_copy(
        update={
            "analysis": s.spec.analysis.model_validate(
                SUCCESS | {"mode": "threshold", "failures": {"consecutive": 2}}
            )
        }
    )
    decision, _ = look(replace(later(s, seconds=1), spec=tighter))
    assert isinstance(decision, Rollback)
    assert decision.message.startswith("2 of the last 2 looks failed")


def test_the_clock_of_the_rule_is_the_users() -> None:
    assert out(watched("FFF", seconds=10, failures={"every": "10s"})) == "CheckFailed"
    assert timedelta(seconds=60) == watched("P").spec.analysis.effective.every
