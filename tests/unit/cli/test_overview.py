"""What one sees of a rollout."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console, RenderableType

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.cli import words
from agentrollouts.cli.gate_texts import MORE
from agentrollouts.cli.listing import history_table, rollouts_table
from agentrollouts.cli.overview import overview
from agentrollouts.cli.show import summary
from agentrollouts.cli.status import standing
from tests.unit.cli.scenes import GATE, HEALTHY, NOW, ROLLED_BACK, WAITING, ago, rollout, scene


def seen(what: RenderableType, width: int = 200) -> str:
    """The plain text of it, runs of blanks as one."""
    file = io.StringIO()
    Console(file=file, width=width, markup=False, highlight=False).print(what)
    return re.sub(" +", " ", file.getvalue())


def test_a_waiting_rollout_shows_shares_checks_and_the_way_to_answer() -> None:
    text = seen(overview(scene(WAITING, gate=GATE)))
    assert "support shop ? AwaitingApproval" in text
    assert "├─ candidate 2.0.0 ████████░░░░░░░░ 50% was 20% 1/2 ready bbbbbbbbbbbb" in text
    assert "└─ control 1.0.0 ██░░░░░░░░░░░░░░ 10% 2/2 ready" in text
    assert "step 3 of 3 · soaked 12m of 1h · on its way for 3h · asked for by alice" in text
    assert "✖ FAIL cost 0.021 USD against 0.010 USD a task [limit +50%]" in text
    assert "breakers\n✔ Armed spend $0.021000 a task, at most $0.25" in text
    assert "gate support-2.0.0-1 Pending · asks for 100% for 2.0.0 · 1 of 2 approvals · expires in 6d" in text
    assert "approved by bob 5m ago: looks fine" in text
    assert "candidate 2.0.0 340 97.4% – – –" in text
    assert "agentrollout approve support" in text


def with_gate(**spec: Any) -> str:
    """What one sees of a gate with these fields."""
    return seen(overview(scene(WAITING, gate={**GATE, "spec": {**GATE["spec"], **spec}})))


def test_a_gate_shows_in_what_texts_differ_line_by_line() -> None:
    diff = "prompts: prompts/system.md\n@@ -1 +1 @@\n-Be brief.\n+Be [bold]kind[/bold].\n"
    text = with_gate(diff=diff)
    assert "\n @@ -1 +1 @@\n -Be brief.\n +Be [bold]kind[/bold].\n" in text
    assert text.index("-Be brief.") < text.index("agentrollout approve support")
    gate = {**GATE, "spec": {**GATE["spec"], "diff": diff}}
    painted_anew = seen(overview(scene(WAITING, gate=gate), texts=False))
    assert "-Be brief." not in painted_anew
    assert MORE in painted_anew


def test_what_others_wrote_into_a_gate_does_nothing_to_the_terminal() -> None:
    evil = "+\x1b[2J\u202e\x9b1m"
    text = with_gate(diff=f"{evil}\n", rationale=f"better\n{evil}")
    assert text.count("+\\u{1b}[2J\\u{202e}\\u{9b}1m") == 2
    assert not {"\x1b", "\u202e", "\x9b"} & {*text}


def proof(name: str, verdict: str, message: str = "") -> dict[str, Any]:
    known = {"kind": "eval", "terms": "1", "job": f"support-{name}-1", "startedAt": ago(minutes=2)}
    return {"name": name, "verdict": verdict, "message": message, **known}


def test_what_is_proven_before_traffic_is_shown_entry_by_entry() -> None:
    proofs = [proof("golden", "PASS", "Eval score: 0.9000"), proof("more", "PENDING", "ErrImagePull")]
    candidate = {"version": "2.0.0", "digest": "sha256:" + "b" * 64, "startedAt": ago(hours=1)}
    status = {"candidate": {**candidate, "stepStartedAt": ago(hours=1), "proofs": proofs}}
    item = rollout(status, beforeTraffic=[{"name": name} for name in ("golden", "more", "last")])
    text = seen(overview(scene(item)))
    assert "before traffic\n✔ PASS golden Eval score: 0.9000" in text
    assert "▶ runs more Job support-more-1, for 2m: ErrImagePull" in text
    assert "· waits last" in text
    gate = {
        **GATE,
        "spec": {**GATE["spec"], "proofs": [{"name": "golden", "kind": "eval", "verdict": "PASS"}]},
    }
    assert "before traffic: eval golden PASS" in seen(overview(scene(WAITING, gate=gate)))


def test_a_rollback_says_what_went_and_why() -> None:
    text = seen(overview(scene(ROLLED_BACK)))
    assert "↩ RolledBack" in text
    assert "2.0.0 was taken out 2m ago, CheckFailed: success: 80.0% against 97.0%" in text


def test_a_promotion_says_how_long_it_can_be_undone() -> None:
    assert "1.0.0 stays warm for 50m: agentrollout undo" in seen(overview(scene(HEALTHY)))


def watched(condition: str, *drift: str) -> dict[str, Any]:
    """2.0.0 serves and has a profile."""
    status = HEALTHY["status"]
    profile = {"at": ago(days=3), "sessions": 412, "tools": {"lookup": 10_000}}
    told = {
        "type": "BehaviorDrifting",
        "status": condition,
        "lastTransitionTime": ago(hours=2),
        "message": "2.0.0 behaves as in its profile of 412 sessions",
    }
    entries = [{"signal": one, "since": ago(hours=2), "message": f"{one}: 31.0% moved"} for one in drift]
    changes = {"stable": status["stable"] | {"profile": profile}, "conditions": [told], "drift": entries}
    return {**HEALTHY, "status": status | changes}


def test_a_version_that_drifted_is_shown_with_what_changed() -> None:
    item = watched("True", "toolMix", "refusal")
    text = seen(overview(scene(item)))
    assert "behavior ! drifted" in text
    assert "the profile was taken 3d ago from 412 sessions" in text
    assert "for 2h toolMix: 31.0% moved" in text
    assert "for 2h refusal: 31.0% moved" in text
    assert summary(scene(item)).endswith("behaves otherwise than when accepted: toolMix, refusal")
    assert standing(scene(item)) == "healthy", "it is no verdict"


def test_a_version_that_is_as_accepted_says_so_and_one_nothing_is_known_of_says_nothing() -> None:
    item = watched("False")
    assert "behavior ✔ as accepted 2.0.0 behaves as in its profile" in seen(overview(scene(item))).replace(
        "\n", ""
    )
    assert "behavior … unknown" in seen(overview(scene(watched("Unknown"))))
    assert "behavior" not in seen(overview(scene(HEALTHY)))
    assert "otherwise" not in summary(scene(item))


def test_a_rollout_the_operator_has_not_seen_yet() -> None:
    text = seen(overview(scene(rollout())))
    assert "○ Pending" in text
    assert "the operator hasn't seen the newest change yet" in text
    assert "waits for the operator; spec.version is 2.0.0" in text


def test_an_arm_without_its_version_stands_out() -> None:
    item = rollout(
        {"phase": "Degraded", "shares": [{"cohort": "stable", "version": "9.9.9", "share": 10000}]}
    )
    assert "no AgentVersion" in seen(overview(scene(item)))


def test_a_strategy_of_a_newer_chart_still_shows() -> None:
    item = {**WAITING, "spec": {**WAITING["spec"], "strategy": {"spiral": {}}}}
    text = seen(overview(scene(item)))
    assert "candidate 2.0.0" in text
    assert "step 3" not in text


def test_nothing_is_cut_off_at_eighty_columns() -> None:
    text = seen(overview(scene(WAITING, gate=GATE)), width=80)
    for word in ("AwaitingApproval", "bbbbbbbbbbbb", "support-2.0.0-1", "2/2 ready", "50%"):
        assert word in text


def test_the_list_has_a_line_for_each() -> None:
    text = seen(rollouts_table([WAITING, HEALTHY], now=NOW, namespaces=True))
    assert "NAMESPACE AGENT PHASE STABLE CANDIDATE SHARE AGE MESSAGE" in text
    assert "shop support ? AwaitingApproval 1.0.0 2.0.0 50% 9d 2.0.0 waits at 50%" in text
    assert "shop support ✔ Healthy 2.0.0 – – 9d 2.0.0 serves all traffic" in text


def test_a_long_message_is_cut_and_never_what_stands_before_it() -> None:
    status = {**HEALTHY["status"], "message": "a very long story " * 30}
    text = seen(rollouts_table([{**HEALTHY, "status": status}], now=NOW, namespaces=True), width=80)
    assert "NAMESPACE AGENT PHASE STABLE CANDIDATE SHARE AGE MESSAGE" in text
    assert len(text.strip().splitlines()) == 2
    assert "…" in text


def test_history_is_newest_first() -> None:
    status = RolloutStatus.model_validate(ROLLED_BACK["status"])
    lines = seen(history_table(status, now=NOW)).splitlines()
    assert lines[1].startswith("2.0.0 (attempt 2) RolledBack 2m ago 2h")
    assert "bob" in lines[2]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (119, "119s"), (120, "2m"), (3599, "59m"), (3600, "1h"), (5400, "90m"),
     (7200, "2h"), (86400, "1d"), (-5, "0s")],
)  # fmt: skip
def test_spans_of_time(seconds: int, text: str) -> None:
    assert words.span(timedelta(seconds=seconds)) == text


def test_a_tiny_share_is_visible() -> None:
    assert words.bar(1, style="").plain == "█" + "░" * 15
    assert words.bar(0, style="").plain == "░" * 16
    assert words.bar(10_000, style="").plain == "█" * 16
