from __future__ import annotations

import pytest

from bench.decisions import ours
from bench.decisions.peer_tests import kayenta, mixture_sprt, peeked_z, rank_test, ranks_lower
from bench.decisions.peers import argo, error_bands, flagger, three_in_a_row
from bench.decisions.rollouts import Look, play
from bench.decisions.scenarios import Scenario
from bench.decisions.streams import Stream


def answers(rule, failures, *, n=20, control=0, step=0):
    """What a rule says when each tick has ``n`` tasks and so many failures of the candidate (and of control)."""
    tasks, good = [0.0] * 3, [0.0] * 3
    said = [rule(Look(-1, 0, tuple(tasks), tuple(good), (), (), ()))]
    for tick, failed in enumerate(failures):
        for at, bad in enumerate((failed, control, 0)):
            tasks[at] += n
            good[at] += n - bad
        said.append(rule(Look(tick, step, tuple(tasks), tuple(good), (), (), ())))
    return said[1:]


def test_argo_forgives_as_many_measurements_as_it_is_told():
    assert answers(argo(0), [2] * 5) == ["hold"] * 4 + ["rollback"]
    assert answers(argo(3), [2] * 20).index("rollback") == 19
    assert "rollback" not in answers(argo(0), [1] * 60)  # exactly 95 %


def test_argos_measurement_forgets_what_is_older_than_it():
    assert "rollback" not in answers(argo(1), [20] * 5 + [0] * 10)


def test_argo_stays_fifteen_minutes_in_the_first_step():
    assert answers(argo(0), [0] * 16).index("advance") == 14


def test_flagger_counts_failed_checks_and_never_forgets_one():
    assert answers(flagger(), [2, 0, 2, 0, 2, 0, 2, 0, 2]).index("rollback") == 8
    assert answers(flagger(), [0] * 4) == ["hold"] * 3 + ["advance"]
    assert answers(flagger(), [0, 0, 0, 2, 0])[3:] == ["hold", "advance"]


def test_flaggers_good_checks_are_those_of_the_step():
    rule = flagger()
    looks = [
        Look(tick, int(tick > 2), (20.0 * tick,) * 3, (20.0 * tick,) * 3, (), (), ()) for tick in range(10)
    ]
    assert [rule(look) for look in looks].index("advance") == 8  # two good checks before the step, six in it


def test_error_bands_look_at_each_twenty_tasks():
    assert answers(error_bands(), [3, 4, 0]) == ["hold", "rollback", "advance"]  # 15 % is neither
    assert answers(error_bands(), [0, 5, 0, 0], n=10)[:2] == ["hold", "rollback"]


def test_three_in_a_row_have_to_be_in_a_row():
    bad, good = [3] * 5, [0] * 5
    assert answers(three_in_a_row(), bad * 3).index("rollback") == 14
    assert "rollback" not in answers(three_in_a_row(), (bad * 2 + good) * 4)
    assert "rollback" not in answers(three_in_a_row(), bad * 4, control=2)  # exactly five points
    assert "advance" not in answers(three_in_a_row(), good * 2 + bad)


def test_a_measurement_without_tasks_of_both_is_no_failed_one():
    rule = three_in_a_row()
    looks = [
        Look(tick, 0, (0.0, 20.0 * tick, 0.0), (0.0, 20.0 * tick, 0.0), (), (), ()) for tick in range(30)
    ]
    assert "rollback" not in [rule(look) for look in looks]


@pytest.mark.parametrize(
    ("first", "second", "z"),
    [
        ([1, 2, 3], [4, 5, 6], -4.0 / 5.25**0.5),
        ([4, 5, 6], [1, 2, 3], 4.0 / 5.25**0.5),
        # Ranks 2, 2, 5 against 2, 5, 5; ties 3 and 3: U = 3, and the variance is 9 / 12 * (7 - 48 / 30).
        ([1, 1, 2], [1, 2, 2], -1.0 / (0.75 * (7 - 1.6)) ** 0.5),
        ([1, 1], [1, 1], 0.0),
    ],
)
def test_ranks_by_hand(first, second, z):
    assert rank_test(first, second) == pytest.approx(z)


def test_kayenta_tolerates_a_quarter_of_the_difference():
    flat, worse = [1.0] * 30, [0.9 + at / 1000 for at in range(30)]
    assert ranks_lower(worse, flat)
    assert not ranks_lower(flat, worse)
    # Lower by 6.5, which is significant, of which the tolerance gives back a quarter, and what is left isn't.
    old = [float(at) for at in range(100, 130)]
    assert rank_test([value - 6.5 for value in old], old) == pytest.approx(-2.565, abs=0.001)
    assert not ranks_lower([value - 6.5 for value in old], old)
    assert ranks_lower([value - 10.0 for value in old], old)


def test_kayenta_judges_every_half_hour():
    said = answers(kayenta(), [4, 5] * 30)
    assert [at for at, word in enumerate(said) if word == "rollback"] == [29, 59]
    assert answers(kayenta(), [0] * 30)[29] == "advance"


def test_a_z_test_that_is_looked_at_early():
    # 80 % against 95 % of 20: z = -1.39; of 40: z = -1.99.
    assert answers(peeked_z(), [4, 4], control=1) == ["hold", "rollback"]
    assert answers(peeked_z(), [0, 0, 0]) == ["hold", "advance", "advance"]


def test_the_mixture_needs_more_than_the_z_test():
    # 80 % against 95 %: the logarithm of the ratio is 2.45 with 80 tasks each and 3.39 with 100; ln 20 is 3.00.
    assert answers(mixture_sprt(), [4] * 20, control=1).index("rollback") == 4
    assert "advance" in answers(mixture_sprt(), [0] * 10)
    assert "advance" not in answers(mixture_sprt(), [2] * 30, control=1)


def test_our_rule_takes_out_what_is_far_worse_and_promotes_what_is_as_good():
    bad, good = Scenario("bad", -0.8), Scenario("good")
    assert play(bad, Stream(bad, 1, 0), ours.sequential()).decision == "rollback"
    assert play(good, Stream(good, 1, 0), ours.sequential()).decision == "promotion"
