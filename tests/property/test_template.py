"""Whatever a template and whatever a name: no value ends its quotes, and each is read back as it was."""

from __future__ import annotations

import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.template import complaints, rendered

PLAIN = "x"
NASTY = st.text(st.sampled_from("ab\"'`\\\n#{}[]()|.*,= \u2028é"), max_size=12) | st.text(
    st.characters(exclude_categories=("Cs",)), max_size=12
)
PIECES = st.sampled_from(
    [
        'a{namespace="{{ namespace }}",agent="{{ agent }}"}',
        "b{agent='{{agent}}'}",
        'c{agent=~"{{ agent }}|x"}',
        'd{agent!~ "y{{ agent }}{{ namespace }}"}',
        'e{agent="\\\\{{ agent }}"}',
        'f{agent="\\{{ agent }}"}',
        "g{agent=`{{ agent }}`}",
        "# it's {{ agent }}\n",
        "sum by (version, cohort, agent, namespace) (",
        ")",
        '"',
        "'",
        "`",
        "\\",
        "{",
        "}",
        "=",
        "[{{ window }}]",
        "\n",
        " or ",
    ]
)
GOOD = 'sum by (version, cohort) (a{namespace="{{ namespace }}",agent="{{ agent }}"})'
TEMPLATES = st.lists(PIECES, max_size=4).map(lambda pieces: "".join([GOOD, *pieces]))


def lexed(query: str) -> tuple[list[str], list[str]]:
    """What is code, and what the strings mean: PromQL's own rules, written down a second time, character by character."""
    code, strings, at = [""], list[str](), 0
    while at < len(query):
        char = query[at]
        if char in "\"'`":
            value, at = _string(query, at)
            strings.append(value)
            code.append("")
        elif char == "#":
            at = (query.find("\n", at) + len(query)) % len(query) if "\n" in query[at:] else len(query)
        else:
            code[-1] += char
            at += 1
    return code, strings


def _string(query: str, at: int) -> tuple[str, int]:
    quote, value, at = query[at], "", at + 1
    while query[at] != quote:  # IndexError: it never ends
        assert query[at] != "\n" or quote == "`", "a line ends within quotes"
        if query[at] == "\\" and quote != "`":
            following = query[at + 1]
            value += {"n": "\n"}.get(following, following)
            at += 2
        else:
            value += query[at]
            at += 1
    return value, at + 1


@given(TEMPLATES, NASTY, NASTY)
def test_no_value_changes_the_code_around_it(template: str, namespace: str, agent: str) -> None:
    if complaints(template):
        return
    window = timedelta(minutes=5)
    plain, _ = lexed(rendered(template, namespace=PLAIN, agent=PLAIN, window=window))
    code, _ = lexed(rendered(template, namespace=namespace, agent=agent, window=window))
    assert code == plain


@given(NASTY, NASTY, st.sampled_from("\"'"))
def test_a_value_is_read_back_as_it_was(namespace: str, agent: str, quote: str) -> None:
    matchers = ", ".join(
        f"{name}{operator}{quote}{{{{ {name} }}}}{quote}"
        for name in ("namespace", "agent")
        for operator in ("=", "=~")
    )
    template = f"sum by (version, cohort) (x{{{matchers}}})"
    _, strings = lexed(rendered(template, namespace=namespace, agent=agent, window=timedelta(minutes=5)))
    assert strings[0::2] == [namespace, agent]
    for pattern, value in zip(strings[1::2], (namespace, agent), strict=True):
        assert re.fullmatch(pattern, value, re.DOTALL)
        assert not re.fullmatch(pattern, value + "x", re.DOTALL)
