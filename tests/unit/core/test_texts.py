"""What is shown of the prompts and tools of two releases: at a gate, in a notice, in the evidence of a rollback."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api import approvalgate, notify
from agentrollouts.api.agentversion import AgentVersionSpec
from agentrollouts.api.approvalgate import ApprovalGateSpec
from agentrollouts.api.notify import NoticeStatus
from agentrollouts.core.pairs import pairs
from agentrollouts.core.plan import CreateGate
from agentrollouts.core.snapshot import Requests, Snapshot, Surroundings, VersionView
from agentrollouts.core.texts import MOST_LINES, Pair, Shown, Side, elsewhere, prompts_in, shown, unread
from tests.builders import climbing, digest, good, installed, later, look, step, version
from tests.fakes.stage import agent_version

LINES = Shown(long="-Be brief.\n+Be kind.\n+Always.\n", short="-Be brief.\n+Be kind.\n")
ALL = {"notify": [{"name": "all", "on": ["ApprovalNeeded", "RolledBack", "Undone"], "webhook": {"ref": "x"}}]}
ONE_STEP = {"strategy": {"steps": [{"share": 5, "soak": "1m"}]}}


def with_texts(view: VersionView, letter: str, *, tools: str = "t") -> VersionView:
    return replace(view, parts={"prompts": digest(letter), "tools": digest(tools)})


def with_prompt(view: VersionView, prompt: str, **spec: Any) -> VersionView:
    body = agent_version(view.version, "a", **spec)["spec"]
    body["template"]["spec"]["containers"][0]["env"] = [
        {"name": "MODE", "value": "x"},
        {"name": "SYSTEM_PROMPT", "value": prompt},
    ]
    parsed = AgentVersionSpec.model_validate(body)
    return replace(view, spec=parsed, lineage=parsed.lineage)


def differing(s: Snapshot) -> Snapshot:
    """The two releases have other prompts."""
    old, new = (with_texts(s.versions[name], letter) for name, letter in (("1.0.0", "o"), ("2.0.0", "n")))
    return replace(s, versions={"1.0.0": old, "2.0.0": new})


def read(s: Snapshot, said: Shown | None = LINES) -> Snapshot:
    """The shell has read every pair there is."""
    return replace(s, texts=dict.fromkeys(pairs(s), said))


def at_the_gate(**fields: Any) -> Snapshot:
    s = later(differing(climbing(**ALL, **ONE_STEP, **fields)), minutes=2)
    return replace(s, evidence=good(500, s.now), surroundings=Surroundings(epoch=1, ledger=True))


def gates(s: Snapshot) -> list[ApprovalGateSpec]:
    _, plan = look(s)
    return [action.spec for action in plan.actions if isinstance(action, CreateGate)]


def told(s: Snapshot, happening: str) -> list[NoticeStatus]:
    found = s.status.notices.pending if s.status.notices else ()
    return [notice for notice in found if notice.happening == happening]


def test_gate_notice_and_bundle_have_the_lines() -> None:
    s = read(at_the_gate())
    (gate,) = gates(s)
    assert gate.diff == LINES.long
    s = step(s)
    (notice,) = told(s, "ApprovalNeeded")
    assert notice.diff == LINES.short
    s = step(s, requests=Requests(abort="now"))
    (notice,), (bundle,) = told(s, "RolledBack"), s.status.bundles
    assert (notice.diff, bundle.diff) == (LINES.short, LINES.long)


def test_a_gate_and_its_notice_wait_while_the_texts_are_being_read() -> None:
    s = read(at_the_gate(), None)
    assert gates(s) == []
    s = step(s)
    assert told(s, "ApprovalNeeded") == []
    s = read(later(s, seconds=1))
    assert [gate.diff for gate in gates(s)] == [LINES.long]
    assert [notice.diff for notice in told(step(s), "ApprovalNeeded")] == [LINES.short]


def test_a_rollback_waits_for_no_text_and_says_where_they_are() -> None:
    s = step(read(at_the_gate(), None), requests=Requests(abort="now"))
    (notice,) = told(s, "RolledBack")
    assert s.status.rejected is not None
    assert "the texts haven't been read yet; kubectl agentrollout diff" in notice.diff
    assert "support-1.0.0 support-2.0.0 -n shop" in notice.diff


def test_nobody_waits_for_what_nobody_reads() -> None:
    (gate,) = gates(at_the_gate())
    assert "haven't been read yet" in gate.diff


def test_without_a_difference_of_texts_nothing_is_said() -> None:
    s = at_the_gate()
    same = {name: with_texts(view, "s") for name, view in s.versions.items()}
    s = replace(s, versions=same)
    assert pairs(s) == ()
    assert [gate.diff for gate in gates(s)] == [""]


def test_a_version_made_again_with_another_content_has_no_lines() -> None:
    s = read(at_the_gate())
    other = replace(s.versions["2.0.0"], digest=digest("x"))
    s = replace(s, versions={**s.versions, "2.0.0": other})
    assert pairs(s) == ()
    s = step(s, requests=Requests(abort="now"))
    assert [notice.diff for notice in told(s, "RolledBack")] == [""]


def test_the_pair_is_known_as_soon_as_a_version_is_asked_for() -> None:
    s = differing(installed())
    assert pairs(s) == ()
    (pair,) = pairs(replace(s, spec=s.spec.model_copy(update={"version": "2.0.0"})))
    assert (pair.names, pair.kept) == (("support-1.0.0", "support-2.0.0"), True)
    assert pairs(replace(s, spec=s.spec.model_copy(update={"version": "9.9.9"}))) == ()


def test_what_can_be_undone_is_a_pair_for_as_long() -> None:
    s = differing(installed())
    stable = s.status.stable
    assert stable is not None
    after = s.status.model_validate(
        {
            **s.status.model_dump(),
            "stable": {**stable.model_dump(), "version": "2.0.0", "digest": digest("b")},
            "previous": {
                "version": "1.0.0",
                "digest": digest("a"),
                "warm_until": s.now + timedelta(minutes=1),
            },
        }
    )
    s = replace(s, status=after, spec=s.spec.model_copy(update={"version": "2.0.0"}))
    assert [pair.names for pair in pairs(s)] == [("support-1.0.0", "support-2.0.0")]
    assert pairs(later(s, minutes=2)) == ()


@pytest.mark.parametrize(
    ("author", "parent", "kept"),
    [("Agent", "1.0.0", False), ("Agent", "0.9.0", True), ("Person", "1.0.0", True)],
)
def test_an_improvers_prompt_is_in_its_template_and_nowhere_else(
    author: str, parent: str, *, kept: bool
) -> None:
    lineage = {"author": author, "parent": parent}
    old = with_prompt(with_texts(version("1.0.0", "a"), "o"), "Be brief.")
    new = with_prompt(with_texts(version("1.0.1-p1", "b"), "n"), "Be kind.", lineage=lineage)
    s = replace(installed(), versions={"1.0.0": old, "1.0.1-p1": new})
    (pair,) = pairs(replace(s, spec=s.spec.model_copy(update={"version": "1.0.1-p1"})))
    assert pair.kept is kept
    assert "-Be brief.\n" in shown(pair).long
    more = replace(new, parts={**new.parts, "tools": digest("u")})
    s = replace(s, versions={"1.0.0": old, "1.0.1-p1": more})
    (pair,) = pairs(replace(s, spec=s.spec.model_copy(update={"version": "1.0.1-p1"})))
    assert pair.kept is True


def test_another_variable_may_hold_the_prompt() -> None:
    template = {
        "spec": {
            "containers": [
                {"name": "agent", "env": [{"name": "P", "value": "x"}, {"name": "Q", "value": "y"}]},
                {"name": "side", "env": [{"name": "P", "valueFrom": {}}]},
                {"name": "other", "env": [{"name": "P", "value": "z"}]},
            ]
        }
    }
    assert prompts_in(template, "P") == (("agent", "x"), ("other", "z"))
    assert prompts_in(None, "P") == ()
    assert prompts_in({"spec": {"containers": None}}, "P") == ()


def pair(old: str = "", new: str = "", *, kept: bool = False) -> Pair:
    sides = [
        Side(name, digest(letter), (("agent", text),))
        for name, letter, text in (("1.0.0", "a", old), ("2.0.0", "b", new))
    ]
    return Pair("support", *sides, "SYSTEM_PROMPT", kept=kept)


def test_prompts_of_the_template_are_compared_as_they_are_written() -> None:
    found = shown(pair("Keep $$(KEY).\nBe brief.", "Keep $(KEY).\nBe brief."))
    assert found.long == (
        "prompts: SYSTEM_PROMPT of container agent\n@@ -1,2 +1,2 @@\n-Keep $$(KEY).\n+Keep $(KEY).\n Be brief.\n"
        "\\ No newline at end of file\n"
    )
    assert found.short == found.long


def test_all_that_is_known_stands_together_and_why_something_isnt_first() -> None:
    why = elsewhere("there is\nno ConfigMap")
    text = shown(pair("a\n", "b\n"), why_not=why).long
    assert text.startswith("there is no ConfigMap; kubectl agentrollout diff OLD NEW compares them")
    assert "\n\nprompts: SYSTEM_PROMPT of container agent\n" in text
    text = shown(pair("a\n", "b\n"), "! tools: refund: new\n").long
    assert text.endswith("+b\n\n! tools: refund: new\n")
    assert shown(pair("a", "a"), "lines\n").long == "lines\n"


def test_each_place_gets_as_much_as_it_has_room_for() -> None:
    found = shown(pair("", "".join(f"rule {n}\n" for n in range(2000))))
    for text, most in ((found.long, approvalgate.DIFF), (found.short, notify.DIFF)):
        assert most - 100 < len(text.encode()) <= most
        assert text.rstrip().endswith("left out")


def test_too_many_lines_are_not_compared() -> None:
    text = shown(pair("x\n" * MOST_LINES, "y\n")).long
    assert text.endswith(f"{MOST_LINES + 1} lines, of which at most {MOST_LINES} are compared here\n")


@pytest.mark.parametrize("evil", ["\x1b[2J", "\u202e", "\x07", "\u2028", "a\rb", "\U000e0041"])
def test_nothing_in_a_prompt_acts_or_hides(evil: str) -> None:
    found = shown(pair("x", f"{evil}\n"), why_not=unread(pair(), "shop", evil))
    assert all(line.isprintable() for line in found.long.split("\n"))
