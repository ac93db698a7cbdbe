"""How the names of known models look. One table, so that a new family is one line.

Checked against the providers' lists and the names that PydanticAI knows on :data:`CHECKED`. Names that are words of their own, such as
``o3``, are left out: they would be found everywhere. The registry's own names are looked for beside these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import MappingProxyType

CHECKED = "2026-11-26"

FAMILIES = MappingProxyType(
    {
        "Amazon": r"(nova|titan)-(\d-)?(micro|lite|pro|premier|canvas|reel|sonic|text|embed|tg\d)\S*",
        "Anthropic": r"claude-\S+",
        "Cohere": r"(command-(r7?b?|a|light|nightly|text)\b\S*|c4ai-\S+|(embed|rerank)-(english|multilingual|v\d)\S*)",
        "DeepSeek": r"deepseek[-.](r\d|v\d|chat|coder|reasoner|flash)\S*",
        "Google": r"(gemini-\S+|gemma-?\d\S*|text-(bison|unicorn)\S*)",
        "Meta": r"((code)?llama-?([2-9]|prompt-guard)\S*|muse-(spark|wonder)-\d\S*)",
        "Microsoft": r"phi-?[1-9]\S*",
        "MiniMax": r"minimax-(m|text|vl)\S+",
        "Mistral": r"((open-)?(mi[sx]tral|codestral|ministral|magistral|pixtral|devstral)-\S+|mi[sx]tral:\S+)",
        "Moonshot": r"(kimi|moonshot)-\S+",
        "NVIDIA": r"(nvidia-)?nemotron-\S+",
        "OpenAI": r"((chat)?gpt-?\d\S*|gpt-(oss|audio|realtime|image|[a-z]+-(blue|red|research))\S*|openai(-[a-z]+)?[:/]o[1-9]|o[1-9]-(mini|pro|preview|deep-research|\d{4})\S*|text-embedding-\S+|(text-)?(davinci|babbage)-\d+"
        r"|(codex|computer-use)-(mini|preview)\S*|dall-e-\d|whisper-(\d|large|medium|small|tiny|base)\S*|tts-\d\S*|sora-\d\S*)",
        "Qwen": r"(qwen-?\d\S*|qwen-(max|plus|turbo|flash|coder|vl)\S*|qwq-\S+)",
        "Writer": r"palmyra-\S+",
        "xAI": r"grok-\S+",
        "Zhipu": r"glm-\d\S*",
    }
)
"""Provider to what a name looks like, without regard to case. A name is the whole of a text, so these may be generous at their end."""

_PREFIX = r"(?:[A-Za-z0-9_.-]+[:/.])*(?:(?:openai|snowflake|zai)-)?"
"""What comes before a name: ``openai:``, ``models/``, ``us.anthropic.``."""


class Names:
    """Knows model names: those of the families, and those of a registry."""

    def __init__(self, registered: Iterable[str] = ()) -> None:
        own = "|".join(re.escape(name) for name in sorted(set(registered), key=len, reverse=True))
        self._patterns = [
            *([("the registry", _compiled(rf"(?:{own})(?:[-:@]\S+)?"))] if own else ()),
            *((provider, _compiled(pattern)) for provider, pattern in FAMILIES.items()),
        ]

    def provider_of(self, text: str) -> str | None:
        """Whose model a text names, if it names one and says nothing else. A dash left at its end is that of a text in pieces."""
        text = text.strip().rstrip("-:@/")
        if not text or len(text) > 200 or any(character.isspace() for character in text):
            return None
        return next((provider for provider, pattern in self._patterns if pattern.fullmatch(text)), None)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_PREFIX + f"(?:{pattern})", re.IGNORECASE)
