"""The pure rules of the improver, one by one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.task import TaskRecord
from agentrollouts.improver.budget import MOST_MICROS, Budget, Price, Usage, read_prices
from agentrollouts.improver.cases import agrees, choose
from agentrollouts.improver.prompt import PromptError, prompt_of, with_prompt
from agentrollouts.improver.proposal import Proposal, objection
from agentrollouts.improver.request import MOST_BYTES, TooLittleRoomError, open_conversation
from agentrollouts.improver.revision import next_version
from agentrollouts.improver.settings import read_settings
from agentrollouts.improver.standing import Finish, Revise, Wait, may_start, standing
from agentrollouts.improver.trial import Comparison, Score
from tests.fakes.improvable import DIGEST, NOW, PROMPT, VARIABLE, Improvable, version
from tests.ledger.tasks import record

CANARY = "a-private-line-of-this-run"


# -- cases


@pytest.mark.parametrize(
    ("output", "expected", "right"),
    [
        ({"label": "a", "answer": "x"}, {"label": "a"}, True),
        ({"label": "b"}, {"label": "a"}, False),
        ({}, {"label": "a"}, False),
        ("a", {"label": "a"}, False),
        (" a\n", "a", True),
        ("A", "a", False),
        (True, 1, False),
        ([1, 2], [1, 2], True),
        ({"x": {"y": 1, "z": 2}}, {"x": {"y": 1}}, True),
    ],
)
def test_an_answer_is_right_where_every_expected_field_is(output: Any, expected: Any, right: bool) -> None:
    assert agrees(output, expected) is right


def task(number: int, **fields: Any) -> Any:
    told: dict[str, Any] = {"outcome": "failure", "output": "b", "expected": "a", "version": "1.0.0"}
    return record(number, **(told | fields))


def test_what_can_teach_nothing_is_left_out() -> None:
    left_out = [
        task(1, expected=None),
        task(2, version="0.9.0"),
        task(3, shadow=True),
        task(4, input={"truncated": True, "bytes": 9}),
        task(5, output="a"),
        task(6, outcome="escalated"),
    ]
    assert choose(left_out, [], version="1.0.0").failing == ()
    assert len(choose([*left_out, task(7)], [], version="1.0.0").failing) == 1


def test_an_input_counts_once_by_its_newest_task_and_one_that_failed_did_not_pass() -> None:
    failures = [task(1, input="x", expected="old"), task(9, input="x", expected="new")]
    passed = [
        task(5, input="x", outcome="success", output="new", expected="new"),
        task(6, input="y", outcome="success", output="a"),
    ]
    found = choose(failures, passed, version="1.0.0")
    assert [case.expected for case in found.failing] == ["new"]
    assert [case.input for case in found.passing] == ["y"]


def test_at_most_a_hundred_the_newest() -> None:
    found = choose([task(n, input=n) for n in range(300)], [], version="1.0.0")
    assert [case.input for case in found.failing] == list(range(299, 199, -1))
    assert found.seen == 300


# -- request


def case(number: int, text: str = "") -> TaskRecord:
    return record(number, input=text or f"question {number}", output="b", expected="a")


def test_no_case_is_shown_in_part_and_the_oldest_give_way() -> None:
    cases = [case(n, f"{n}" + "x" * 1_300) for n in range(100)]
    talk = open_conversation(PROMPT, cases, [], canary=CANARY)
    assert len(talk.messages[1]["content"]) <= MOST_BYTES
    assert talk.shown == tuple(cases[: len(talk.shown)])
    assert 20 <= len(talk.shown) < 100


def test_where_too_few_fit_it_says_so() -> None:
    with pytest.raises(TooLittleRoomError, match="only 0 fit"):
        open_conversation(PROMPT, [case(n, "x" * 2_000) for n in range(50)], [], canary=CANARY)


# -- proposal

GOOD = f"{PROMPT}\nAsk again where the order number is missing."


def said(prompt: str, rationale: str = "It never asked.", *, before: str = PROMPT, cases: Any = ()) -> str:
    return objection(
        Proposal(revised_system_prompt=prompt, rationale=rationale), prompt=before, cases=cases, canary=CANARY
    )


def test_a_good_prompt_has_no_objection() -> None:
    assert said(GOOD) == ""
    assert said(GOOD + "\nSei höflich 👩‍🔧.") == ""


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "empty"),
        ("Be kind, {shop}.", "fewer than 40"),
        ("x" * 16_001, "at most 16000"),
        ('{"system_prompt": "You answer customers of {shop} in a friendly way."}', "JSON"),
        ('"You answer customers of the shop {shop} in a friendly way, always."', "JSON"),
        ("```\nYou answer customers of the shop {shop} in a friendly way.\n```", "code"),
        ("import os\nprint('You answer customers of {shop} in a friendly way')", "code"),
        ("<html><body>You answer customers of the shop {shop} kindly</body></html>", "code"),
        ("I'm sorry, but I can't help with revising this prompt for {shop}.", "refusal"),
        ("I cannot revise the prompt of the shop {shop} as you ask me to do.", "refusal"),
        ("As an AI language model I have no opinion on prompts such as {shop}.", "refusal"),
        ("{shop} 0101010101 0101010101 0101010101 0101010101 0101010101 01010", "not words"),
        (f"  {PROMPT} \n", "same as before"),
        (GOOD.replace("{shop}", "ours"), r"lacks the placeholders {shop}"),
        (GOOD + " {secret}", "placeholders that the prompt before didn't have"),
        (GOOD + " ${AGENT_TOKEN}", "placeholders that"),
        (GOOD + "\u202e", "nobody can see"),
        (GOOD + "\x00", "nobody can see"),
        (GOOD + "\u200b", "nobody can see"),
        (f"{GOOD} {CANARY}", "private line"),
        (f"{GOOD} {CANARY.upper()}", "private line"),
    ],
)
def test_what_is_no_prompt(prompt: str, words: str) -> None:
    assert words in said(prompt)


def test_a_rationale_is_one_line_without_secrets() -> None:
    assert said(GOOD, " ") == "rationale is empty"
    assert "more than one line" in said(GOOD, "a\nb")
    assert "private line" in said(GOOD, CANARY)


def test_quoting_a_task_is_seen_also_in_part_and_in_other_spacing() -> None:
    text = "My name is Jane Example, I live in 12 Long Street and my parcel A-1004 never came, so what now?"
    quotes = (text, text[20:85], text.upper(), text.replace(" ", "\n "))
    for quote in quotes:
        assert "quotes a task" in said(f"{GOOD}\n{quote}", cases=[case(1, text)]), quote
    assert said(GOOD, cases=[case(1, text)]) == ""
    assert said(f"{GOOD}\nparcel A-1004", cases=[case(1, text)]) == "", "a few words are anybody's"
    assert said(GOOD, cases=[case(1, PROMPT)]) == "", "what the prompt said itself"


# -- budget


def test_a_budget_counts_up_and_ends() -> None:
    budget = Budget(price=Price.model_validate({"input": "3", "output": "15"}))
    assert budget.after(Usage(input_tokens=1, output_tokens=0), 10).spent == 3
    assert (
        Budget(price=Price.model_validate({"input": "0.1", "output": "0"}))
        .after(Usage(input_tokens=1, output_tokens=0), 1)
        .spent
        == 1
    ), "rounded up"
    assert budget.refusal(60_000) == ""
    spent = budget.after(Usage(input_tokens=100_000, output_tokens=0), 0)
    assert spent.spent == 300_000
    assert "0.27 USD, and of 0.5 USD 0.3 are spent" in spent.refusal(60_000)
    assert spent.spent + budget.most(60_000) > MOST_MICROS


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"m": {"input": 0.25, "output": "1"}}', '{"m": {"input": "1"}}']
)
def test_prices_are_read_or_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected prices"):
        read_prices(text)


# -- prompt and revision


@pytest.mark.parametrize("prompt", ["plain", "5 $ each", "$(HOME) and $$(X) and $$", "${A} $"])
def test_a_prompt_is_read_as_it_was_written_and_names_no_variable(prompt: str) -> None:
    template = with_prompt(version(), VARIABLE, prompt)
    manifest = version()
    manifest["spec"]["template"] = template
    written = template["spec"]["containers"][0]["env"][0]["value"]
    assert "$(" not in written.replace("$$", "")
    assert prompt_of(manifest, VARIABLE) == prompt


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ([], "there is none"),
        ([{"name": VARIABLE, "value": " "}], "it is empty"),
        ([{"name": VARIABLE, "valueFrom": {}}], "comes from elsewhere"),
        ([{"name": VARIABLE, "value": "use $(TOKEN)"}], "without references"),
        ([{"name": VARIABLE, "value": "a"}, {"name": VARIABLE, "value": "b"}], "2 containers have one"),
    ],
)
def test_where_there_is_no_prompt_it_says_why(env: Any, words: str) -> None:
    with pytest.raises(PromptError, match=words):
        prompt_of(version(env=env), VARIABLE)


@pytest.mark.parametrize(
    ("parent", "known", "wanted"),
    [
        ("1.2.3", (), "1.2.4-p1"),
        ("1.2.3", ("1.2.4-p1", "1.2.4-p2"), "1.2.4-p3"),
        ("1.2.4-p2", ("1.2.4-p2",), "1.2.4-p3"),
        ("1.2.4-p2", (), "1.2.4-p3"),
        ("1.2.3", ("1.2.4-p7", "1.3.0-p9", "1.2.4"), "1.2.4-p8"),
        ("1.2.3-rc1", (), "1.2.4-p1"),
    ],
)
def test_versions_are_numbered_so_that_two_runs_meet(parent: str, known: Any, wanted: str) -> None:
    assert next_version(parent, known) == wanted


# -- standing


def own(number: str = "1.0.1-p1") -> Any:
    return version(number, lineage={"author": "Agent", "parent": "1.0.0"})


@pytest.mark.asyncio
async def test_a_draft_or_a_candidate_is_an_open_proposal() -> None:
    for status in ({}, {"phase": "Draft"}, {"phase": "Candidate"}):
        cluster = Improvable()
        cluster.put(own(), NOW - timedelta(days=9), **status)
        found = standing(await cluster.agent("support"), NOW)
        assert isinstance(found, Wait), status
        assert found.reason == "ProposalOpen"
    cluster.spec["proposals"] = {"autoStart": True}
    cluster.versions[1] = (own() | {"status": {}}, NOW)
    assert isinstance(standing(await cluster.agent("support"), NOW), Finish)


@pytest.mark.asyncio
async def test_a_persons_draft_is_none_of_its_business() -> None:
    cluster = Improvable()
    cluster.put(version("2.0.0"))
    assert isinstance(standing(await cluster.agent("support"), NOW), Revise)


def rolled_back(hours: float, outcome: str = "RolledBack") -> dict[str, Any]:
    at = NOW - timedelta(hours=hours)
    return {
        "version": "0.9.0", "digest": DIGEST, "outcome": outcome, "reason": "Worse",
        "startedAt": at, "finishedAt": at,
    }  # fmt: skip


@pytest.mark.asyncio
async def test_after_any_rollback_it_cools_down() -> None:
    cluster = Improvable()
    for hours, outcome, waits in (
        (71, "RolledBack", True),
        (73, "RolledBack", False),
        (1, "Aborted", False),
        (1, "Promoted", False),
    ):
        cluster.status["history"] = [rolled_back(hours, outcome)]
        agent = await cluster.agent("support")
        found = standing(agent, NOW)
        assert isinstance(found, Wait) is waits, (hours, outcome)
    cluster.spec["proposals"] = {"autoStart": True, "coolDown": "1h"}
    cluster.status["history"] = []
    cluster.status["rejected"] = {
        "version": "0.9.0", "digest": DIGEST, "reason": "Worse", "at": NOW - timedelta(minutes=59), "drainUntil": NOW,
    }  # fmt: skip
    agent = await cluster.agent("support")
    wait = may_start(agent, NOW)
    assert wait is not None
    assert wait.reason == "CoolingDown"
    assert may_start(agent, NOW + timedelta(minutes=1)) is None


@pytest.mark.asyncio
async def test_nothing_begins_while_something_is_on_its_way() -> None:
    cluster = Improvable(proposals={"autoStart": True})
    cluster.spec["version"] = "2.0.0"
    agent = await cluster.agent("support")
    found, wait = standing(agent, NOW), may_start(agent, NOW)
    assert isinstance(found, Wait)
    assert wait is not None
    assert (found.reason, wait.reason) == ("RolloutUnderWay", "RolloutUnderWay")


# -- trial


@pytest.mark.parametrize(
    ("before", "after", "better"),
    [
        ((0, 100), (20, 100), True),
        ((0, 100), (19, 100), False),
        ((30, 100), (49, 100), False),
        ((0, 100), (90, 98), True),
        ((0, 100), (90, 97), False),
        ((0, 90), (90, 88), True),
    ],
)
def test_gain_and_loss_are_bounded_against_the_old_prompt(before: Any, after: Any, better: bool) -> None:
    found = Comparison(
        before=Score(failing=before[0], passing=before[1]),
        after=Score(failing=after[0], passing=after[1]),
        failing=100,
        passing=100,
    )
    assert (found.objection == "") is better


# -- settings

WHOLE = {
    "AGENT_ROLLOUTS_IMPROVER_BASE_URL": "http://llm/v1",
    "AGENT_ROLLOUTS_IMPROVER_MODEL": "small-1",
    "AGENT_ROLLOUTS_IMPROVER_KEYLESS": "true",
    "AGENT_ROLLOUTS_IMPROVER_PRICES": '{"small-1": {"input": "0", "output": "0"}}',
    "AGENT_ROLLOUTS_IMPROVER_TRIAL_URL": "http://trial/v1/trial",
    "AGENT_ROLLOUTS_LEDGER_URL": "http://ledger:8090",
}


def test_whole_settings_lack_nothing() -> None:
    assert read_settings(WHOLE).lacking == ""


@pytest.mark.parametrize("name", WHOLE)
def test_what_lacks_is_named(name: str) -> None:
    assert name.removesuffix("KEYLESS") in read_settings({**WHOLE, name: ""}).lacking


def test_recordings_are_served_to_this_machine_alone_unless_it_is_said() -> None:
    assert read_settings(WHOLE).listen == ("127.0.0.1", 8199)
    elsewhere = {**WHOLE, "AGENT_ROLLOUTS_IMPROVER_LISTEN": "0.0.0.0:9000"}
    assert read_settings(elsewhere).listen == ("0.0.0.0", 9000)
    assert read_settings(elsewhere, listen="127.0.0.1:9001").listen == ("127.0.0.1", 9001)


def test_no_price_is_no_budget() -> None:
    settings = read_settings({**WHOLE, "AGENT_ROLLOUTS_IMPROVER_MODEL": "other"})
    assert "no price is known for the model other" in settings.lacking


@pytest.mark.parametrize(
    "wrong",
    [
        {"AGENT_ROLLOUTS_IMPROVER_BASE_URL": "llm/v1"},
        {"AGENT_ROLLOUTS_IMPROVER_API_KEY_FILE": "/nowhere/key"},
        {"AGENT_ROLLOUTS_LEDGER_TOKEN_FILE": "/nowhere/token"},
        {"AGENT_ROLLOUTS_IMPROVER_PRICES": "cheap"},
        {"AGENT_ROLLOUTS_IMPROVER_LISTEN": "8199"},
    ],
)
def test_settings_that_can_not_be_used_are_named(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        read_settings(WHOLE | wrong)
