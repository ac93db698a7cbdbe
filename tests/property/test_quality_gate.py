"""Whatever the checks say and however the looks fall, the gate keeps its word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.api.checks import CheckSpec
from agentrollouts.api.findings import LookStatus
from agentrollouts.api.presets import Effective
from agentrollouts.core.checks import CheckResult, Verdict
from agentrollouts.core.quality_gate import enough_failures, looks_after, score

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
RANK = {Verdict.FAIL: 0, Verdict.INCONCLUSIVE: 1, Verdict.WARN: 2, Verdict.PASS: 3}
Check = tuple[CheckSpec, CheckResult]


@st.composite
def judged(draw: st.DrawFn) -> list[Check]:
    """Up to six checks of any weight, each with a verdict."""
    pairs: list[Check] = []
    for number in range(draw(st.integers(0, 6))):
        spec = CheckSpec.model_validate(
            {
                "name": f"c{number}",
                "weight": draw(st.integers(1, 100)),
                "critical": draw(st.booleans()),
                "dryRun": draw(st.booleans()),
                "cost": {},
            }
        )
        result = CheckResult(spec.name, draw(st.sampled_from(list(Verdict))), dry_run=spec.dry_run)
        pairs.append((spec, result))
    return pairs


def gate(pairs: list[Check]) -> Verdict:
    return score([result for _, result in pairs], [spec for spec, _ in pairs]).verdict


@given(judged())
def test_a_verdict_has_its_reasons(pairs: list[Check]) -> None:
    deciding = [(spec, result.verdict) for spec, result in pairs if not spec.dry_run]
    weight = {v: sum(s.effective_weight for s, said in deciding if said is v) for v in Verdict}
    conclusive = sum(weight.values()) - weight[Verdict.INCONCLUSIVE]
    critical = {verdict for spec, verdict in deciding if spec.is_critical}
    found = gate(pairs)
    if found is Verdict.PASS:
        assert weight[Verdict.PASS] >= 0.8 * conclusive > 0
        assert not critical & {Verdict.FAIL, Verdict.INCONCLUSIVE}
    if found is Verdict.FAIL:
        assert weight[Verdict.FAIL] > 0
    if not conclusive:
        assert found is Verdict.INCONCLUSIVE
    if Verdict.FAIL in critical:
        assert found is Verdict.FAIL


@given(judged(), st.data())
def test_a_dry_run_changes_nothing_whatever_it_says(pairs: list[Check], data: st.DataObject) -> None:
    other = [
        (spec, replace(result, verdict=data.draw(st.sampled_from(list(Verdict)))) if spec.dry_run else result)
        for spec, result in pairs
    ]
    assert gate(other) is gate(pairs) is gate([pair for pair in pairs if not pair[0].dry_run])


@given(judged(), st.data())
def test_a_check_that_comes_to_pass_never_makes_it_worse(pairs: list[Check], data: st.DataObject) -> None:
    """From FAIL or WARN to PASS, all else equal: the gate's verdict is at least as good."""
    able = [n for n, (_, result) in enumerate(pairs) if result.verdict in (Verdict.FAIL, Verdict.WARN)]
    if not able:
        return
    index = data.draw(st.sampled_from(able))
    spec, result = pairs[index]
    better = [*pairs[:index], (spec, replace(result, verdict=Verdict.PASS)), *pairs[index + 1 :]]
    assert RANK[gate(better)] >= RANK[gate(pairs)]


@given(judged())
def test_the_order_of_the_checks_is_nothing_to_it(pairs: list[Check]) -> None:
    assert gate(pairs[::-1]) is gate(pairs)


RULES = st.builds(
    lambda consecutive, at_least, more: Effective(
        consecutive=consecutive, at_least=at_least, out_of=min(20, at_least + more)
    ),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(0, 6),
)
COUNTED = st.sampled_from([Verdict.FAIL, Verdict.FAIL, Verdict.WARN, Verdict.PASS, Verdict.INCONCLUSIVE])


@settings(max_examples=300)
@given(RULES, st.lists(COUNTED, max_size=40))
def test_the_short_ring_decides_as_a_full_record_would(rule: Effective, verdicts: list[Verdict]) -> None:
    """What the ring forgets makes no difference: it fires at the same look as the rule applied to all that was said."""
    ring: tuple[LookStatus, ...] = ()
    record: list[Verdict] = []
    for number, verdict in enumerate(verdicts):
        ring = looks_after(ring, verdict, START + number * rule.every, rule)
        record += [] if verdict is Verdict.INCONCLUSIVE else [verdict]
        row, last = record[-rule.consecutive :], record[-rule.out_of :]
        in_a_row = len(row) == rule.consecutive and set(row) == {Verdict.FAIL}
        assert bool(enough_failures(ring, rule)) is (in_a_row or last.count(Verdict.FAIL) >= rule.at_least)


@given(RULES, st.lists(st.tuples(COUNTED, st.integers(0, 100)), max_size=60))
def test_the_ring_is_bounded_and_its_looks_are_apart(
    rule: Effective, looks: list[tuple[Verdict, int]]
) -> None:
    ring: tuple[LookStatus, ...] = ()
    now = START
    for verdict, seconds in looks:
        now += timedelta(seconds=seconds)
        grown = looks_after(ring, verdict, now, rule)
        if verdict is Verdict.INCONCLUSIVE:
            assert grown == ring
        ring = grown
        assert len(ring) <= max(rule.consecutive, rule.out_of)
        assert not ring or ring[0].verdict == "FAIL"
        assert all(b.at - a.at >= rule.every for a, b in pairwise(ring))
