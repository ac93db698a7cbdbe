"""What a gate shows of texts that others wrote. Nothing in them acts on the terminal, whoever made the gate."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from agentrollouts.core.text_diff import visible

_STYLES = {"+": "green", "-": "red", "@": "cyan", "!": "yellow"}
MORE = "in what its texts differ is shown without --watch"


def rationale(text: str) -> Iterator[Text]:
    """Why the candidate should be better, as its author says."""
    if text:
        yield Text("  why: " + "\n       ".join(map(visible, text.split("\n"))))


def differing(diff: str, *, whole: bool) -> Iterator[Text]:
    """The lines in which prompts and tools differ, or where to see them: a screen that is painted anew has no room for them."""
    if not diff:
        return
    if not whole:
        yield Text(f"  {MORE}", "dim")
        return
    for line in diff.removesuffix("\n").split("\n"):
        yield Text(f"  {visible(line)}", _STYLES.get(line[:1], "dim"))
