"""A notice for an incoming webhook of Slack, or of a chat that takes the same (Mattermost, Rocket.Chat).

Text in it may be written by an agent, and must neither call a channel together nor lead anybody anywhere. Slack's three
control characters are escaped and texts are ``verbatim``, so Slack makes nothing of them but letters (docs.slack.dev, "Formatting
message text"). Chats that only resemble it look for ``@channel`` and ``https://`` themselves: a zero-width space breaks both.
In a block of code one stands behind each backtick as well, so that no line of a prompt ends the block.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from agentrollouts.api.base import SpecModel
from agentrollouts.api.scalars import format_percent
from agentrollouts.notifiers.destinations import Destination
from agentrollouts.notifiers.webhook import Letter
from agentrollouts.notifiers.words import commands, headline
from agentrollouts.ports import Notice

MOST = 2_900
"""Characters of one text; Slack takes 3000."""
BREAK = "\u200b"
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": f"@{BREAK}", "`": "'"}
_IN_CODE = {**_ESCAPED, "`": f"`{BREAK}"}
_FENCE = "```"
_CUT = "… the rest has no room here"
_LINK = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)")
_MARKS = {
    "RolledBack": "🔴",
    "Stalled": "🔴",
    "Undone": "🟠",
    "Paused": "🟠",
    "Drifted": "🟠",
    "ApprovalNeeded": "🔵",
}


def defused(text: str, most: int = MOST, *, escaped: Mapping[str, str] = _ESCAPED) -> str:
    """Text of at most ``most`` characters that a chat shows and does nothing else with."""
    parts: list[str] = []
    left = most - 1
    for part in _parts(text, escaped):
        if len(part) > left:
            return "".join(parts) + "…"
        parts.append(part)
        left -= len(part)
    return "".join(parts)


def code(text: str, most: int = MOST) -> str:
    """Lines as a block of code of at most ``most`` characters, which says so where it has no room for all."""
    shown: list[str] = []
    room = most - len(f"{_FENCE}\n{_CUT}\n{_FENCE}") - 1
    for line in text.removesuffix("\n").split("\n"):
        whole = "".join(_parts(line, _IN_CODE))
        if len(whole) >= room:
            beginning = [defused(line, room - 1, escaped=_IN_CODE)] if room > 1 else []
            shown += [*beginning, _CUT]
            break
        shown.append(whole)
        room -= len(whole) + 1
    return "\n".join((_FENCE, *shown, _FENCE))


def _parts(text: str, escaped: Mapping[str, str]) -> Iterator[str]:
    """Each character as it may be sent; none of them may be cut."""
    return (escaped.get(character, character) for character in _LINK.sub(BREAK, text))


def payload(notice: Notice) -> dict[str, Any]:
    """The message: a line, the sentence with the numbers, what is known of both versions, what to type."""
    facts = notice.facts
    title = f"{_MARKS.get(facts.happening, '🟢')} {headline(notice)}"
    blocks = [_section(f"*{defused(title, 500)}*"), _section(defused(facts.message or facts.reason))]
    if facts.changes:
        blocks.append(_section("\n".join(f"• {defused(line, 330)}" for line in facts.changes)))
    if facts.diff:
        blocks.append(_section(code(facts.diff)))
    if facts.findings:
        lines = (f"• {defused(f'{f.name} {f.verdict}: {f.reason}', 330)}" for f in facts.findings)
        blocks.append(_section("\n".join(lines)))
    if facts.rationale:
        blocks.append(_section(f"Its author says: “{defused(facts.rationale, 1_000)}”"))
    blocks += [_context(notice), _section("\n".join(f"`{command}`" for command in commands(notice)))]
    return {
        "text": defused(title, 500),
        "blocks": blocks,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _context(notice: Notice) -> dict[str, Any]:
    facts = notice.facts
    share = f"share {format_percent(facts.share_before)} → {format_percent(facts.share_after)}"
    changed = "not known" if facts.changed is None else ", ".join(facts.changed) or "nothing"
    lines = (
        f"agent {notice.agent} · attempt {facts.attempt} · {share} · differs in {changed}",
        f"{facts.candidate} {facts.candidate_digest[:19]} · beside {facts.stable or 'none'} {facts.stable_digest[:19]}",
        f"{facts.at:%Y-%m-%d %H:%M:%S} UTC",
    )
    return {"type": "context", "elements": [_text(defused(line, 600)) for line in lines]}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _text(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def compose(notice: Notice, spec: SpecModel, to: Destination, *, now: int) -> Letter:
    """The request. Nothing in it is signed: the URL is the secret."""
    return Letter(json.dumps(payload(notice)).encode(), {"content-type": "application/json"})
