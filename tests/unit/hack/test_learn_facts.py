"""What the second demo claims at its end: each claim holds where it is so, and fails where it isn't."""

from __future__ import annotations

from typing import Any

import pytest

from agent_load import Ledger, Row, ShareChange
from agents.author.scripts import GAMING, GOOD, WORSE
from hack.demo.measure import Fact, RouteHistory
from hack.learn import facts, manifests
from hack.learn.facts import Learned
from hack.learn.ledger import seen_and_held_out


def row(number: int, version: str, *, wrong: bool = False, **fields: Any) -> Row:
    """One answered request of a user of its own."""
    return Row(
        sent=float(number),
        routed=float(number),
        done=number + 0.1,
        user=number,
        session=number,
        status=200,
        version=version,
        routed_version=fields.pop("routed_version", version),
        cohort="stable",
        label="shipped",
        expected="delivered" if wrong else "shipped",
        verdict="wrong" if wrong else "right",
        **fields,
    )


def users(*more: Row) -> Ledger:
    """600 tasks of the first version, 30 % of them wrong, and 600 of the proposed one, 1 % wrong."""
    ledger = Ledger()
    for number in range(600):
        ledger.append(row(number, manifests.FIRST, wrong=number % 10 < 3))
        ledger.append(row(1000 + number, manifests.PROPOSED, wrong=number % 100 == 0))
    for each in more:
        ledger.append(each)
    return ledger


def learned(**changes: Any) -> Learned:
    """What the story comes to when all goes well."""
    use = {"requests": 1, "input_tokens": 1_000, "output_tokens": 100}
    runs = {name: {"cost_usd": 0.0105} for name in (WORSE, GAMING, GOOD)}
    return Learned(
        **{
            "runs": runs,
            "rejected": {
                manifests.WORSE: {"message": "golden: Score 0.4000 below minimum 0.8000"},
                manifests.GAMING: {"message": "replayed: 25% more decisions changed"},
            },
            "approvers": ("alice",),
            "requesters": ("system:serviceaccount:agent-rollouts:agent-rollouts-improver",),
            "held_out": 200,
            "used": dict.fromkeys(runs, use),
            "written_by_agents": (manifests.PROPOSED,),
            **changes,
        }
    )


def broken(found: list[Fact]) -> list[str]:
    return [fact.what for fact in found if not fact.holds]


def test_all_holds_where_all_went_well() -> None:
    assert broken(facts.about_users(users(), RouteHistory())) == []
    assert broken(facts.about_learning(learned(), manifests.PROPOSED)) == []


@pytest.mark.parametrize("fields", [{"version": manifests.GAMING}, {"routed_version": manifests.GAMING}])
def test_one_request_to_a_refused_version_is_one_too_many(fields: dict[str, str]) -> None:
    met = row(5000, **{"version": manifests.FIRST, **fields})
    assert f"requests that reached {manifests.GAMING}" in broken(
        facts.about_users(users(met), RouteHistory())
    )


def test_so_is_one_basis_point_of_the_route() -> None:
    history = RouteHistory()
    history.changes.append(ShareChange(1.0, {}, {("candidate", manifests.WORSE): 1}, 1.0))
    assert broken(facts.about_users(users(), history)) == [f"requests that reached {manifests.WORSE}"]


def test_an_agent_that_got_no_better_is_told() -> None:
    wrong = [row(9000 + n, manifests.PROPOSED, wrong=True) for n in range(60)]
    assert broken(facts.about_users(users(*wrong), RouteHistory())) == [
        f"wrong answers of {manifests.PROPOSED}"
    ]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"approvers": ()}, "who approved 1.0.1-p1"),
        ({"approvers": ("bob",), "requesters": ("bob",)}, "who approved 1.0.1-p1"),
        ({"shown": 1}, "held-out tasks that the improver or its author saw"),
        ({"unknown": 1}, "held-out tasks that the improver or its author saw"),
        ({"held_out": 0}, "held-out tasks that the improver or its author saw"),
        ({"written_by_agents": ("1.0.1-p1", "1.0.1-p2")}, "versions that the improver wrote"),
        ({"used": {}}, "cost of the proposals, refused ones too"),
        (
            {"runs": {name: {"cost_usd": 0.0106} for name in (WORSE, GAMING, GOOD)}},
            "cost of the proposals, refused ones too",
        ),
        ({"rejected": {manifests.WORSE: {"message": "golden: no"}}}, "stopped before traffic: 1.2.0"),
        (
            {"rejected": {v: {"message": "golden: no"} for v in (manifests.WORSE, manifests.GAMING)}},
            "stopped before traffic: 1.2.0",
        ),
    ],
)
def test_what_did_not_come_as_promised_is_told(changes: dict[str, Any], what: str) -> None:
    assert broken(facts.about_learning(learned(**changes), manifests.PROPOSED)) == [what]


def test_the_version_at_the_end_is_the_improvers() -> None:
    assert broken(facts.about_learning(learned(), manifests.FIRST)) == ["version that serves at the end"]


def test_counts_are_those_of_users_and_evaluations_are_in_none_of_their_cohorts() -> None:
    counts = {
        (manifests.FIRST, "stable", "success"): 420,
        (manifests.FIRST, "stable", "failure"): 180,
        (manifests.PROPOSED, "stable", "success"): 594,
        (manifests.PROPOSED, "stable", "failure"): 6,
        (manifests.WORSE, "none", "failure"): 18,
    }
    assert facts.about_counts(users(), counts).holds
    assert not facts.about_counts(users(), counts | {(manifests.WORSE, "candidate", "success"): 1}).holds


def test_what_an_author_saw_is_held_against_what_was_held_out() -> None:
    tasks = [{"input": {"text": f"question {n}"}} for n in range(4)]
    shown = ['{"text": "question 0"}', '{"text": "question 1"}']
    assert seen_and_held_out(shown, tasks, [False, False, True, True]) == (0, 0, 2)
    assert seen_and_held_out(shown, tasks, [False, True, True, False]) == (1, 0, 2)
    assert seen_and_held_out(['{"text": "?"}'], tasks, [True] * 4) == (0, 1, 4)
