from __future__ import annotations

import pytest

from bench.decisions import run
from bench.decisions.__main__ import ALONE, PAGE, SEVERAL, is_meant, main
from bench.decisions.figures import summed, watched
from bench.decisions.kept import Kept
from bench.decisions.metric_rollouts import MetricEnd
from bench.decisions.metric_scenarios import MetricScenario
from bench.decisions.rollouts import End
from bench.decisions.run import Settings, chunks, metrics, success
from bench.decisions.scenarios import Scenario
from bench.decisions.table import BEGIN, END, grid, replaced, tables, until, worst

SMALL = (Scenario("aa", ticks=60), Scenario("minus30", -0.3, ticks=60))
DEARER = MetricScenario("cost100", ("cost",), cost=2.0, ticks=15, rate=200.0)


def ended(decision, tick=9, tasks=200.0):
    return End(decision, tick, tasks, tick + 1, 0.01)


def timeless(results):
    return {rule: figures._replace(seconds=0.0) for rule, figures in results.items()}


def test_a_run_repeats_by_its_seed(monkeypatch):
    good = SMALL[0]
    first = timeless(success(good, Settings(6, seed=3)))
    monkeypatch.setattr(run, "CHUNK", 4)  # as other processes would share it
    assert timeless(success(good, Settings(6, seed=3))) == first
    assert timeless(success(good, Settings(6, seed=4))) != first
    assert first["Flagger"].repetitions == 6


def test_a_run_of_several_metrics_repeats_too():
    first, again = (timeless(metrics(DEARER, Settings(5, seed=3))) for _ in range(2))
    assert first == again
    assert set(first) == {"Agent Rollouts", "fixed factors"}


def test_what_was_finished_is_played_again_unless_it_may_be_taken(tmp_path):
    settings = Settings(2, seed=3)
    played = success(SMALL[1], settings)
    assert Kept(tmp_path, settings, reads=True).figures("success/x", lambda: played) == played
    assert Kept(tmp_path, settings, reads=True).figures("success/x", dict) == played
    assert Kept(tmp_path, settings, reads=False).figures("success/x", dict) == {}
    assert Kept(tmp_path, Settings(3, seed=3), reads=True).figures("success/x", dict) == {}


def test_repetitions_are_dealt_out_whole():
    assert [list(part) for part in chunks(3)] == [[0, 1, 2]]
    assert [n for part in chunks(45) for n in part] == list(range(45))


def test_a_rollback_of_a_good_version_is_false_and_a_promotion_of_a_bad_one_too():
    ends = [ended("rollback"), ended("promotion", tasks=400.0), ended("promotion", tasks=300.0), ended(None)]
    good = summed(Scenario("good"), ends)
    assert (good.false_rollback, good.bad_promoted, good.right, good.undecided) == (0.25, None, 0.5, 0.25)
    assert (good.median, good.p95) == (300.0, 400.0)
    bad = summed(Scenario("bad", -0.1), ends)
    assert (bad.false_rollback, bad.bad_promoted, bad.right, bad.median) == (None, 0.5, 0.25, 200.0)
    between = summed(Scenario("between", -0.02), ends)
    assert (between.false_rollback, between.bad_promoted, between.right, between.median) == (None,) * 4


def test_a_rollback_before_the_version_turns_bad_is_false():
    late = Scenario("late", -0.3, onset=5, gated=True)
    figures = summed(late, [ended("rollback", tick=4), ended("rollback", tick=5, tasks=130.0)])
    assert (figures.false_rollback, figures.right, figures.median) == (0.5, 0.5, 30.0)


def test_behind_a_gate_nothing_but_a_rollback_decides():
    figures = summed(Scenario("gated", gated=True), [ended(None), ended("rollback")])
    assert (figures.false_rollback, figures.right, figures.median) == (0.5, None, None)


def test_the_wrong_metric_is_no_success():
    ends = [
        MetricEnd(blame, 9, 50.0, advanced, 10, 0.1)
        for blame, advanced in (("cost", None), ("latency", 3), (None, None))
    ]
    dear = watched(MetricScenario("dear", ("cost",)), ends)
    assert (dear.right, dear.bad_promoted, dear.false_rollback) == pytest.approx((1 / 3, 1 / 3, None))
    assert dear.blames == pytest.approx({"cost": 1 / 3, "latency": 1 / 3})
    assert watched(MetricScenario("same"), ends).false_rollback == pytest.approx(2 / 3)


def test_the_tables_replace_those_of_the_page_and_nothing_else():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replaced(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert replaced(replaced(page, "new"), "newer") == replaced(page, "newer")


@pytest.mark.parametrize("page", ["", f"{END}\n{BEGIN}", f"{BEGIN}{END}{END}"])
def test_a_page_without_its_markers_is_left_alone(page):
    with pytest.raises(ValueError, match="put them back"):
        replaced(page, "new")


def test_cells():
    figures = summed(Scenario("good"), [ended("promotion", tasks=400.0), ended("rollback")])
    assert until(figures) == "400 / 400 (50 %)"
    assert until(figures._replace(right=1.0)) == "400 / 400"
    assert until(figures._replace(median=None)) == "–"
    assert worst({"aa": 0.0, "low": None}) == "0.0"
    assert worst({"aa": 0.01, "low": 0.123}) == "12.3 (low)"
    assert worst({"aa": None}) == "–"
    assert grid(["", "aa"], [["x", "1.0"]]) == "|  | aa |\n| --- | ---: |\n| x | 1.0 |"


def test_each_rule_has_one_row_and_a_table_without_figures_is_left_out():
    settings = Settings(4, seed=3)
    text = tables({s.name: success(s, settings) for s in SMALL}, {}, settings, settings)
    rows = [line for line in text.splitlines() if line.startswith("| Agent Rollouts |")]
    assert "| Agent Rollouts | 0.0 | 0.0 | 0.0 |" in rows[0]
    assert "Several metrics" not in text
    assert "by success alone: 4; by several metrics:" in text
    assert "Seed 3" in text


def test_a_scenario_is_chosen_by_its_name_or_by_its_set():
    assert is_meant(ALONE, "aa", ["aa"])
    assert is_meant(SEVERAL, "aa", ["metrics/aa"])
    assert not is_meant(ALONE, "aa", ["metrics/aa", "aa_low"])


def test_an_unknown_scenario_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "minus10,minus11"])
    error = capsys.readouterr().err
    assert "success/minus10, " in error
    assert "got minus11" in error


def test_a_part_of_the_scenarios_is_printed_and_not_written(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("AGENT_ROLLOUTS_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # without the page: writing it would fail
    assert main(["--only", "success/minus80", "--reps", "2", "--jobs", "1"]) == 0
    assert "minus80" in capsys.readouterr().out
    assert not PAGE.exists()
