"""Each measure on one block: from any course, its wealth grows by no more than the fresh stake on average.

A course is what any past came to, so it is made of random blocks that meet no null at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import pytest

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.latency import PROMOTING, Latency, edges
from agentrollouts.core.sequential.measure import Block, Course, Measure
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.success import Success
from tests.unit.core.sequential.chances import EXACT, Session, added, blocks, nulls, side, squared

SIZES = [(1, 1), (1, 3), (2, 2), (3, 1)]
Sides = tuple[Sequence[Session], Sequence[Session]]


WHOLE = ((1.0,),)


def fresh(block: int) -> float:
    return 0.7 if block == 1 else 0.2 / (block * (block - 1))


@dataclass(frozen=True)
class Mean:
    """The wealth of each part before a block, and its mean after it."""

    blocks: int
    against: list[tuple[float, float]]
    favour: list[tuple[float, float]]


def mean_after(measure: Measure, course: Course, sides: Sides) -> Mean:
    """Over everything that can come of the sessions of both sides. A bet that hasn't begun holds its whole stake."""
    held = course.favour or WHOLE
    against, favour, number = [0.0] * len(course.against), [0.0] * len(held), course.blocks
    for p, candidate in blocks(sides[0]):
        for q, old in blocks(sides[1]):
            after = measure.folded(course, candidate, old)
            number = after.blocks
            against = [m + p * q * sum(part) for m, part in zip(against, after.against, strict=True)]
            favour = [m + p * q * sum(part) for m, part in zip(favour, after.favour or WHOLE, strict=True)]
    return Mean(
        number - course.blocks,
        list(zip((sum(part) for part in course.against), against, strict=True)),
        list(zip((sum(part) for part in held), favour, strict=True)),
    )


def holds(mean: Mean, course: Course, *, against: bool, later: int | None = None) -> bool:
    """Fresh stakes go to the first ``later`` parts that speak against the candidate: to all if it isn't said."""
    stake = fresh(course.blocks + 1) * mean.blocks if against else 0.0
    parts = mean.against if against else mean.favour
    later = len(parts) if later is None else later
    return all(
        after <= (before + (stake if at < later else 0.0)) * (1 + EXACT)
        for at, (before, after) in enumerate(parts)
    )


def course_of(measure: Measure, history: Block, past: Sequence[tuple[Block, Block]]) -> Course:
    course = measure.begun(history)
    for candidate, old in past:
        course = measure.folded(course, candidate, old)
    return course


def fractions(chance: Random, n: int, level: float) -> Block:
    """A block of whole and of partly failed sessions."""
    each = [1.0 if chance.random() < level else chance.random() for _ in range(n)]
    return Block(float(n), {"total": sum(each), "squares": sum(x * x for x in each)})


def course_of_fractions(measure: Measure, chance: Random) -> Course:
    old = chance.choice((0.02, 0.5, 0.9, 0.99))
    new = chance.choice((old, chance.random()))
    past = [
        (fractions(chance, chance.randint(1, 4), new), fractions(chance, chance.randint(1, 60), old))
        for _ in range(chance.randint(0, 3))
    ]
    return course_of(measure, fractions(chance, chance.choice((0, 5, 600)), old), past)


def flipped(sides: tuple[float, float]) -> tuple[float, float]:
    return 1.0 - sides[0], 1.0 - sides[1]


def not_larger(chance: Random, ratio: float, margin: float) -> tuple[float, float]:
    return list(nulls(chance, 3, ratio, margin))[chance.randrange(3)]


CASES: list[tuple[Measure, bool, Callable[[Random], tuple[float, float]]]] = [
    # (measure, whether the null is that of a rollback, means of candidate and old version under it)
    (Success(0.0, 0.05), True, lambda c: flipped(not_larger(c, 1.0, 0.0))),
    (Success(0.05, 0.1), True, lambda c: flipped(not_larger(c, 1.0, 0.05))),
    (Success(0.0, 0.05), False, lambda c: not_larger(c, 1.0, -0.05)),
    (Success(0.0, 0.3), False, lambda c: not_larger(c, 1.0, -0.3)),
    (Events(0.01, 0.05), True, lambda c: not_larger(c, 1.0, 0.01)),
    (Events(0.0, 0.05), True, lambda c: not_larger(c, 1.0, 0.0)),
    (Events(0.01, 0.05), False, lambda c: not_larger(c, 1.0, -0.05)[::-1]),
    (Cost(0.1, 0.3), True, lambda c: not_larger(c, 1.1, 0.0)),
    (Cost(0.0, 0.1), True, lambda c: not_larger(c, 1.0, 0.0)),
    (Cost(0.1, 0.3), False, lambda c: not_larger(c, 1 / 1.3, 0.0)[::-1]),
    (Cost(0.0, 1.0), False, lambda c: not_larger(c, 0.5, 0.0)[::-1]),
]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case[0]}-{'rollback' if case[1] else 'promotion'}"
)
def test_one_block_of_fractions(
    case: tuple[Measure, bool, Callable[[Random], tuple[float, float]]], sizes: tuple[int, int]
) -> None:
    measure, against, means = case
    chance, moved = Random(str((sizes, repr(measure), against))), 0
    for _ in range(12):
        course, (new, old) = course_of_fractions(measure, chance), means(chance)
        sides = squared(side(chance, sizes[0], new)), squared(side(chance, sizes[1], old))
        mean = mean_after(measure, course, sides)
        assert holds(mean, course, against=against)
        moved += any(abs(after - before) > 1e-4 for before, after in mean.against + mean.favour)
    assert moved > 6


BOUNDS = ("1", "2", "4", "+Inf")
LATENCY = Latency(0.1, 0.3)


def latencies(cumulative: Sequence[float]) -> dict[str, float]:
    return dict(zip(BOUNDS, (*cumulative, 1.0), strict=True))


def latency_course(chance: Random) -> Course:
    each = [latencies(sorted(chance.random() ** 0.7 for _ in range(3))) for _ in range(60)]
    past = [
        (added([latencies(sorted(chance.random() for _ in range(3))) for _ in range(3)]), added(each[:5]))
        for _ in range(chance.randint(0, 3))
    ]
    return course_of(LATENCY, added(each), past)


def slower(one: Session, gaps: dict[str, float]) -> Session:
    """Every edge has ``gaps`` more above it on average: fractions below are shrunk where that keeps a histogram."""
    means = {edge: sum(p * sums[edge] for p, sums in one) for edge in gaps}
    return tuple(
        (p, {**sums, **{e: sums[e] * (1.0 - gap / means[e]) for e, gap in gaps.items()}}) for p, sums in one
    )


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_one_block_of_latencies(sizes: tuple[int, int]) -> None:
    """At every edge the candidate has just as much more above it as its margin says."""
    chance = Random(str(sizes))
    for _ in range(20):
        course = latency_course(chance)
        assert edges(course.fixed)
        one: Session = tuple(
            (p, latencies(sorted(chance.uniform(0.3, 1.0) for _ in range(3)))) for p in (0.2, 0.5, 0.3)
        )
        other: Session = tuple(
            (p, latencies(sorted(chance.uniform(0.3, 1.0) for _ in range(3)))) for p in (0.6, 0.4)
        )
        for suffix, against in (("", True), (PROMOTING, False)):
            gaps = {edge: course.fixed[edge + suffix] for edge in edges(course.fixed)}
            old = [one if at % 2 else other for at in range(sizes[1])]
            if sizes == (1, 3):
                old = [one] * 3
            new = [slower(old[at % len(old)], gaps) for at in range(sizes[0])]
            new = new if sizes != (3, 1) else [slower(old[0], gaps)] * 3
            assert holds(mean_after(LATENCY, course, (new, old)), course, against=against)


TOOLS = ("ask", "buy", "call")


def session(chance: Random, names: Sequence[str]) -> dict[str, float]:
    """The parts of a session's calls by tool; a part may have gone to none."""
    parts = [chance.random() ** 3 for _ in range(len(names) + 1)]
    return {name: part / sum(parts) for name, part in zip(names, parts, strict=False)}


def mix_course(chance: Random, measure: Mix, favourite: str, *, history: int = 20) -> Course:
    """The candidate used its favourite half the time so far, and the old version hardly."""
    past = []
    for _ in range(5):
        ours = [session(chance, TOOLS) for _ in range(chance.randint(2, 8))]
        ours = [
            {name: 0.5 * part + 0.5 * (name == favourite) for name, part in {favourite: 0.0, **one}.items()}
            for one in ours
        ]
        past.append((added(ours), added([session(chance, TOOLS) for _ in range(chance.randint(1, 9))])))
    return course_of(measure, added([session(chance, TOOLS) for _ in range(history)]), past)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("tolerance", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("target", [*TOOLS, "new"])
@pytest.mark.parametrize("history", [20, 40])
def test_one_block_of_tools(size: int, tolerance: float, target: str, history: int) -> None:
    """The mixes are the tolerance apart: a part of the candidate's sessions use one tool only, which may be a new one."""
    measure, chance, laid = Mix(tolerance), Random(str((size, tolerance, target))), 0
    for _ in range(10):
        course = mix_course(chance, measure, chance.choice((target, target, *TOOLS)), history=history)
        assert (len(course.against) > 1) == (history == 40)
        old, new = [], []
        for _ in range(size):
            draws: Session = tuple((p, session(chance, TOOLS)) for p in (0.3, 0.7))
            used = sum(p * sums.get(target, 0.0) for p, sums in draws)
            moved = min(1.0, tolerance / (1.0 - used))
            old.append(draws)
            new.append((*((p * (1.0 - moved), sums) for p, sums in draws), (moved, {target: 1.0})))
        mean = mean_after(measure, course, (new, old))
        assert holds(mean, course, against=True, later=1)
        laid += mean.blocks
    assert laid > 5


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("target", ["call", "new"])
def test_one_block_of_tools_of_which_one_is_used_less(size: int, target: str) -> None:
    """The candidate takes another tool wherever it took the first one, until the mixes are the tolerance apart."""
    measure, chance = Mix(0.05), Random(str((size, target)))
    for _ in range(10):
        course = mix_course(chance, measure, target, history=40)
        assert course.against[1]
        old: list[Session] = [tuple((p, session(chance, TOOLS)) for p in (0.3, 0.7)) for _ in range(size)]
        new = []
        for draws in old:
            part = 0.05 / sum(p * sums["ask"] for p, sums in draws)
            if part > 1.0:
                continue
            moved = [
                (p, {**sums, "ask": sums["ask"] * (1.0 - part)}, sums["ask"] * part) for p, sums in draws
            ]
            new.append(tuple((p, {**sums, target: sums.get(target, 0.0) + by}) for p, sums, by in moved))
        if len(new) == size:
            assert holds(mean_after(measure, course, (new, old)), course, against=True, later=1)


def test_a_new_name_counts_against_the_candidate_from_its_first_block() -> None:
    chance = Random(1)
    course = mix_course(chance, Mix(0.05), "buy")
    old = added([session(chance, TOOLS) for _ in range(8)])
    new = added([{"new": 1.0}] * 8)
    assert Mix(0.05).folded(course, new, old).worse > 10 * Mix(0.05).folded(course, old, old).worse


def test_a_mix_waits_for_enough_sessions_of_the_candidate() -> None:
    """Until then no set can be chosen from the past, and of an old version that is hardly known no name would be missed."""
    measure = Mix(0.05)
    course = measure.begun(added([{"ask": 1.0}] * 29))
    for _ in range(6):
        course = measure.folded(course, added([{"buy": 1.0}]), added([{"ask": 1.0}]))
        assert course.blocks == 0
        assert course.worse == 0.0
    assert measure.folded(course, added([{"buy": 1.0}]), added([{"ask": 1.0}])).worse > 0.7


USED = {"ask": 0.5, "buy": 0.3, "call": 0.12, "look": 0.08}


def against(course: Course) -> tuple[float, float, float]:
    """The wealth of what is learnt, of what vanished and of what is new."""
    learnt, vanished, new = course.against
    return sum(learnt), sum(vanished), sum(new)


def test_a_mix_bets_from_the_first_block_on_what_needs_no_learning() -> None:
    """On names that are new, and on each that would be missed: it has twice the tolerance. A reserve of a tenth is kept."""
    course = Mix(0.05).begun(added([USED] * 30))
    assert course.fixed == {"ask": 1.0, "buy": 1.0, "call": 1.0, "look": 0.0}
    assert against(course) == pytest.approx((0.0, 0.9, 0.9))
    assert len(course.against[1]) == 3
    assert course.worse == pytest.approx(0.6)
    assert len(Mix(0.01).begun(added([dict.fromkeys("abcdefgh", 0.125)] * 30)).against[1]) == 6
    assert Mix(0.3).begun(added([{"ask": 0.4, "buy": 0.3, "call": 0.3}] * 30)).against[1] == ()


def test_a_name_that_vanished_is_missed() -> None:
    """One session each of the candidate and the old version, six times: nothing else is laid before six of the candidate."""
    old, new = added([USED] * 9), added([{"ask": 0.6, "call": 0.2, "look": 0.2}])
    course = course_of(Mix(0.05), added([USED] * 100), [(new, old)] * 6)
    learnt, vanished, unknown = against(course)
    assert (learnt, course.blocks) == (0.0, 0)
    assert vanished > 0.9 > unknown
    ask, buy, call = course.against[1]
    assert buy > 0.3 > max(ask, call)
    assert buy == max(course.against[1])


def test_a_name_that_is_new_counts_from_the_first_session() -> None:
    old = added([USED] * 9)
    course = course_of(Mix(0.05), added([USED] * 100), [(added([{"new": 0.5, "ask": 0.5}]), old)] * 6)
    learnt, vanished, new = against(course)
    assert learnt == 0.0
    assert new > max(3.0, vanished)
    alike = course_of(Mix(0.05), added([USED] * 100), [(added([USED]), old)] * 6)
    assert max(against(alike)) < 0.9


def test_a_name_that_only_the_old_version_took_up_is_no_fault_of_the_candidate() -> None:
    """What both took up is known from then on, and the candidate's use of it is nothing."""
    old, new = added([{"ask": 0.7, "new": 0.3}] * 9), added([{"ask": 0.7, "new": 0.3}])
    course = course_of(Mix(0.05), added([{"ask": 1.0}] * 100), [(new, old)] * 40)
    assert against(course)[2] < 0.5


def test_a_tool_may_have_any_name() -> None:
    """Also the names that the memory uses itself."""
    plain, odd = Mix(), Mix()
    names = {"ask": "n", "buy": "m", "call": "=", "new": ""}
    chance = Random(6)
    history = added([session(chance, TOOLS) for _ in range(20)])
    past = [
        (
            added([session(chance, (*TOOLS, "new")) for _ in range(4)]),
            added([session(chance, TOOLS) for _ in range(4)]),
        )
        for _ in range(5)
    ]

    def renamed(block: Block) -> Block:
        return Block(block.n, {names[name]: part for name, part in block.sums.items()})

    first = course_of(plain, history, past)
    second = course_of(odd, renamed(history), [(renamed(a), renamed(b)) for a, b in past])
    assert first.blocks == second.blocks > 0
    assert first.worse == pytest.approx(second.worse, rel=1e-12)


def test_latency_says_nothing_for_a_candidate_until_the_old_version_is_known() -> None:
    """No evidence is no pass: a measure that can promote has none of it yet, unlike a guard, which can't at all."""
    few = added([latencies((0.5, 0.7, 0.9))] * 10)
    course = LATENCY.begun(few)
    assert course.fixed == {}
    assert (course.worse, course.good) == (0.0, 1.0)
    course = LATENCY.folded(course, few, added([latencies((0.5, 0.7, 0.9))] * 25))
    assert edges(course.fixed) == ("1", "2", "4")
    assert (course.blocks, course.worse, course.good) == (0, 0.0, 1.0)
    assert Mix().begun(few).good is None


def test_wealth_that_is_beyond_numbers_stays_a_number() -> None:
    """A candidate that fails ten million times loses its wealth, or wins as much as is told apart, and never turns into NaN."""
    best, worst = (Block(1e7, {"total": n, "squares": n}) for n in (1e7, 0.0))
    for measure in (Success(), Events(), Cost()):
        course = measure.begun(Block(0.0, {}))
        for candidate, old in ((worst, best), (worst, best), (best, worst), (best, worst), (worst, best)):
            course = measure.folded(course, candidate, old)
            assert 0.0 <= course.worse < 1e306
            assert course.good is not None
            assert 0.0 <= course.good < 1e306


def test_what_each_side_used_fades_by_the_side_s_own_sessions() -> None:
    """The candidate has fewer of them: what it did must not be forgotten because stable served so many."""
    used, measure = {"ask": 1.0}, Mix()
    course = measure.begun(added([used] * 500))
    memory = measure.folded(course, added([used] * 25), added([used] * 25)).memory
    assert (memory["m"], memory["+ask"]) == (25.0, 25.0)
    assert (memory["n"], memory["=ask"]) == (400.0 + 25.0, 400.0 + 25.0)
    many = course._replace(memory={**memory, "n": 500.0, "=ask": 500.0, "m": 100.0, "+ask": 100.0})
    memory = measure.folded(many, added([used] * 25), added([used] * 25)).memory
    assert (memory["m"], memory["+ask"]) == (125.0, 125.0)
    assert (memory["n"], memory["=ask"]) == pytest.approx((500.0 * 0.8 + 25.0, 500.0 * 0.8 + 25.0))
