"""From an answer's rows to one value for each side, or the sentence that says why there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import inf, nan

import pytest

from agentrollouts.core.asked import Reply, Row, Told, cadence, told
from agentrollouts.core.evidence import Arm, Asked, Unavailable
from tests.builders import NO_EVIDENCE, START

TWO_SECONDS = timedelta(seconds=2)


def row(version: str, cohort: str, value: float, **labels: str) -> Row:
    named = {"version": version, "cohort": cohort} | labels
    return Row({name: text for name, text in named.items() if text}, value)


BOTH = (row("2.0.0", "candidate", 3.0), row("1.0.0", "control", 2.0), row("1.0.0", "stable", 1.0))


def heard(*rows: Row, age: timedelta = timedelta(0), interval: timedelta = TWO_SECONDS) -> Told | Unavailable:
    asked = Reply.of(rows, START).about("shop", "support")
    evidence = replace(NO_EVIDENCE, asked={"queue": asked})
    return told(evidence, "queue", candidate="2.0.0", stable="1.0.0", now=START + age, interval=interval)


def sides(found: Told | Unavailable) -> Told:
    assert isinstance(found, Told), found
    return found


def test_each_side_has_its_value_and_control_goes_before_stable() -> None:
    assert sides(heard(*BOTH))[:2] == (3.0, 2.0)
    assert sides(heard(*BOTH)).cohort == "control"
    without = sides(heard(BOTH[0], BOTH[2]))
    assert (without.old, without.cohort) == (1.0, "stable")


def test_rows_of_other_agents_versions_and_cohorts_are_none_of_ours() -> None:
    others = (
        row("2.0.0", "candidate", 9.0, namespace="bank", agent="support"),
        row("2.0.0", "candidate", 9.0, agent="billing"),
        row("2.0.0", "stable", 9.0),
        row("2.0.0", "none", 9.0),
        row("1.0.0", "candidate", 9.0),
        row("3.0.0", "candidate", 9.0),
        row("3.0.0", "candidate", 9.0),
        row("", "", 9.0, agent="billing"),
    )
    assert sides(heard(*others, *BOTH))[:4] == (3.0, 2.0, "", "")


def test_rows_may_name_the_agent_and_its_namespace_or_one_of_them() -> None:
    named = (
        row("2.0.0", "candidate", 3.0, namespace="shop", agent="support"),
        row("1.0.0", "control", 2.0, agent="support"),
        row("1.0.0", "stable", 1.0, namespace="shop"),
    )
    assert sides(heard(*named))[:2] == (3.0, 2.0)


@pytest.mark.parametrize(
    ("broken", "lacking"),
    [(row("2.0.0", "", 1.0, pod="p-0"), "cohort"), (row("", "", 1.0, pod="p-0"), "version and cohort")],
)
def test_a_row_without_the_labels_spoils_the_answer_and_is_shown(broken: Row, lacking: str) -> None:
    found = heard(*BOTH, broken)
    assert isinstance(found, Unavailable)
    assert "expected labels version and cohort on every series" in found.reason
    assert f"without {lacking} (" in found.reason
    assert 'pod="p-0"' in found.reason


def test_a_row_that_leaves_out_what_the_query_didnt_match_is_nobodys() -> None:
    """In an answer for all agents, a stray series of some other system would be everybody's."""
    stray = row("2.0.0", "candidate", 99.0)
    ours = row("2.0.0", "candidate", 3.0, namespace="shop", agent="support")
    reply = Reply.of((stray, row("2.0.0", "candidate", 98.0, agent="support"), ours), START)
    found = reply.about("shop", "support", frozenset())
    assert isinstance(found, Asked)
    assert found.values == {Arm("2.0.0", "candidate"): (3.0,)}
    half = reply.about("shop", "support", frozenset({"namespace"}))
    assert isinstance(half, Asked)
    assert half.values == {Arm("2.0.0", "candidate"): (3.0, 98.0)}
    nothing = Reply.of((stray,), START).about("shop", "support", frozenset())
    assert isinstance(nothing, Unavailable)
    assert 'expected series with namespace="shop" and agent="support"; got 1' in nothing.reason


def test_an_empty_answer_is_unknown_and_not_zero() -> None:
    found = sides(heard())
    assert (found.candidate, found.old) == (None, None)
    assert found.candidate_problem == (
        'the query has no value for version="2.0.0", cohort="candidate": its answer is empty'
    )


def test_a_version_that_isnt_there_is_unknown_and_the_sentence_says_what_is() -> None:
    found = sides(heard(BOTH[2]))
    assert found.candidate is None
    assert found.candidate_problem.endswith("; there is 1.0.0/stable")
    assert found.old == 1.0


def test_two_values_are_never_averaged() -> None:
    """The mean of two pods' 99 % quantiles is the quantile of nobody."""
    pods = (row("2.0.0", "candidate", 1.0, pod="a"), row("2.0.0", "candidate", 9.0, pod="b"))
    found = sides(heard(*pods, *BOTH[1:]))
    assert found.candidate is None
    assert found.candidate_problem.startswith(
        'expected one series for version="2.0.0", cohort="candidate"; got 2: aggregate by (version, cohort)'
    )
    assert found.old == 2.0


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_unknown(value: float) -> None:
    found = sides(heard(row("2.0.0", "candidate", value), row("1.0.0", "control", value)))
    assert (found.candidate, found.old) == (None, None)
    assert f"got {value}" in found.candidate_problem
    assert f"got {value}" in found.old_problem


def test_an_old_answer_is_stale_after_four_cadences() -> None:
    assert cadence(TWO_SECONDS) == timedelta(seconds=15)
    assert sides(heard(*BOTH, age=timedelta(seconds=60))).age == timedelta(minutes=1)
    stale = heard(*BOTH, age=timedelta(seconds=61))
    assert isinstance(stale, Unavailable)
    assert stale.reason.startswith("stale: the newest answer is 1m1s old")
    slow = timedelta(minutes=10)
    assert sides(heard(*BOTH, age=timedelta(minutes=40), interval=slow))[:2] == (3.0, 2.0)
    assert isinstance(heard(*BOTH, age=timedelta(minutes=41), interval=slow), Unavailable)


def test_what_couldnt_be_asked_says_so() -> None:
    evidence = replace(NO_EVIDENCE, asked={"queue": Unavailable("bad_data: parse error")})
    for name, reason in (("queue", "bad_data: parse error"), ("other", "the query wasn't asked")):
        found = told(evidence, name, candidate="2.0.0", stable="1.0.0", now=START, interval=TWO_SECONDS)
        assert found == Unavailable(reason)


def test_an_answer_is_sorted_by_arm_with_every_value() -> None:
    asked = Reply.of((*BOTH, BOTH[0]), START).about("shop", "support")
    assert isinstance(asked, Asked)
    assert asked.values[Arm("2.0.0", "candidate")] == (3.0, 3.0)
    assert asked.at == START
