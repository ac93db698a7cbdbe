"""What a chat gets: nothing that somebody else wrote may call people together or lead them anywhere."""

from __future__ import annotations

import html
import json
import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.notify import FindingStatus, Happening, NoticeStatus
from agentrollouts.notifiers.slack import BREAK, MOST, code, defused, payload
from agentrollouts.ports import Notice
from tests.fakes.stage import START

EVIL = "<!channel> <@U123> @here @channel <https://evil.example|click> https://evil.example WWW.evil.example &lt;!here&gt;"


def notice(happening: Happening = "RolledBack", **facts: Any) -> Notice:
    return Notice(
        "shop",
        "support",
        "support",
        NoticeStatus.model_validate(
            {
                "id": "u-1.3.RolledBack",
                "happening": happening,
                "at": START,
                "to": ["team"],
                "attempt": 3,
                "candidate": "2.0.0",
                "candidate_digest": "sha256:" + "b" * 64,
                "stable": "1.0.0",
                "stable_digest": "sha256:" + "a" * 64,
                "share_before": 500,
                "reason": "CheckFailed",
                "message": "success: succeeded 88.1% of 260 sessions against 97.4%",
                "changed": ["model", "prompts"],
                "changes": ["! tools: refund: new"],
                **facts,
            }
        ),
    )


def texts(message: Any) -> list[str]:
    """Every text of a message."""
    if isinstance(message, dict):
        return [text for value in message.values() for text in texts(value)]
    if isinstance(message, list):
        return [text for value in message for text in texts(value)]
    return [message] if isinstance(message, str) else []


def shown(message: Any) -> str:
    """What a person reads of it."""
    return html.unescape("\n".join(texts(message["blocks"]))).replace(BREAK, "")


def test_it_says_what_happened_with_the_numbers_and_what_to_do() -> None:
    text = shown(
        payload(notice(findings=[FindingStatus(name="success", verdict="FAIL", reason="-9 points")]))
    )
    for words in (
        "shop/support: 2.0.0 was rolled back from 5% (CheckFailed)",
        "succeeded 88.1% of 260 sessions",
        "success FAIL: -9 points",
        "share 5% → 0%",
        "differs in model, prompts",
        "! tools: refund: new",
        "2.0.0 sha256:bbbbbbbbbbbb",
        "kubectl agentrollout status support -n shop",
        "2026-01-05 09:00:00 UTC",
    ):
        assert words in text


@pytest.mark.parametrize("happening", get_args(Happening))
def test_every_happening_has_a_line_and_commands(happening: Happening) -> None:
    message = payload(notice(happening))
    assert "2.0.0" in message["text"]
    assert "kubectl agentrollout status support -n shop" in shown(message)


@pytest.mark.parametrize("changed", [None, []])
def test_not_known_is_not_nothing(changed: list[str] | None) -> None:
    said = "differs in not known" if changed is None else "differs in nothing"
    assert said in shown(payload(notice(changed=changed)))


def dangerous(text: str) -> list[str]:
    """What a chat might act on."""
    return re.findall(r"[<>]|@\w|://|(?i:www\.)|&(?!amp;|lt;|gt;)", text)


def test_what_others_wrote_does_nothing() -> None:
    finding = FindingStatus(name="own", verdict="WARN", reason=EVIL)
    message = payload(notice(message=EVIL, rationale=EVIL, findings=[finding]))
    assert [hit for text in texts(message) for hit in dangerous(text)] == []
    assert EVIL in shown(message), "and is still there to be read"
    assert (message["parse"], message["link_names"], message["unfurl_links"]) == ("none", False, False)
    json.dumps(message)


def test_every_text_is_taken_as_it_is() -> None:
    for block in payload(notice(message=EVIL, rationale=EVIL))["blocks"]:
        for text in block.get("elements", [block.get("text")]):
            assert text["verbatim"] is True


@given(st.text(alphabet=st.sampled_from('<>&@/:w.W!|`" a\u200b'), max_size=60), st.integers(1, 80))
def test_no_text_is_dangerous_wherever_it_is_cut(text: str, most: int) -> None:
    safe = defused(text, most)
    assert len(safe) <= most
    assert dangerous(safe) == []


def test_nothing_is_too_long_for_slack() -> None:
    finding = {"name": "n" * 63, "verdict": "INCONCLUSIVE", "reason": "&" * 256}
    message = payload(notice(message="&" * 1_024, rationale="<" * 256, findings=[finding] * 8))
    assert len(message["blocks"]) <= 50
    assert all(len(text) <= 3_000 for text in texts(message))


EVIL_DIFF = f"-Be brief.\n+```\n+*bold* `x` ``` {EVIL}\n+&lt;!channel&gt;\n"


def block(message: dict[str, Any]) -> str:
    """The one block of code there is."""
    (found,) = [text for text in texts(message["blocks"]) if "```" in text]
    return found


def test_what_differs_line_by_line_is_a_block_of_code() -> None:
    assert block(payload(notice(diff="-Be brief.\n+Be kind.\n"))) == "```\n-Be brief.\n+Be kind.\n```"
    assert "```" not in shown(payload(notice()))


def test_no_line_of_a_prompt_ends_the_block_or_acts_in_it() -> None:
    text = block(payload(notice(diff=EVIL_DIFF)))
    assert text.count("```") == 2
    assert text.startswith("```\n")
    assert text.endswith("\n```")
    assert dangerous(text) == []
    read = html.unescape(text).replace(BREAK, "")
    assert read == f"```\n{EVIL_DIFF}```", "and every character is still there to be read"


def test_a_block_says_where_it_has_no_room_for_more() -> None:
    text = block(payload(notice(diff="".join(f"+{'x' * 99}\n" for _ in range(40)))))
    *kept, cut, rest, fence = text.split("\n")
    assert (len(kept), rest, fence) == (29, "… the rest has no room here", "```")
    assert cut.startswith("+xxx")
    assert cut.endswith("…")


def test_a_line_that_has_no_room_is_shown_as_far_as_it_goes() -> None:
    _, line, rest, _ = code("+" + "<" * 5_000).split("\n")
    assert line.startswith("+&lt;&lt;")
    assert line.endswith("&lt;…")
    assert rest == "… the rest has no room here"


def test_a_block_is_never_too_long_wherever_its_lines_end() -> None:
    for first in range(90):
        for second in range(0, 90, 7):
            assert len(code(f"{'x' * first}\n{'y' * second}\n{'z' * 90}", 90)) <= 90


@given(st.text(alphabet=st.sampled_from('<>&@/:w.W!|`" a\u200b\n'), max_size=120), st.integers(60, 200))
def test_no_block_is_too_long_or_ends_early(text: str, most: int) -> None:
    made = code(text, most)
    assert len(made) <= most
    assert made.count("```") == 2
    assert dangerous(made) == []
    whole = html.unescape(made).replace(BREAK, "") == f"```\n{text.removesuffix(chr(10))}\n```".replace(
        BREAK, ""
    )
    assert whole or made.endswith("… the rest has no room here\n```")


def test_the_largest_difference_fits() -> None:
    text = block(payload(notice(diff=("`&<" * 20 + "\n") * 67)))
    assert MOST - 600 < len(text) <= MOST
