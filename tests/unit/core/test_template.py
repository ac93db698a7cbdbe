"""Users' templates: what is refused and in which words, and what becomes of the variables."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentrollouts.core.template import complaints, matched, rendered

GROUPED = "sum by (version, cohort) "
OWNED = '{namespace="{{ namespace }}",agent="{{ agent }}"}'


def text(template: str, *, namespace: str = "shop", agent: str = "support") -> str:
    return rendered(template, namespace=namespace, agent=agent, window=timedelta(minutes=90))


@pytest.mark.parametrize(
    "template",
    [
        f"{GROUPED}(x{OWNED})",
        f"sum(x{OWNED}) BY (le, cohort , version)",
        f"histogram_quantile(0.99, sum by (le,version,cohort) (rate(x_bucket{OWNED}[{{{{ window }}}}])))",
        "max by (namespace, agent, version, cohort) (x)",
        'max by (agent, version, cohort) (x{namespace=~"{{ namespace }}|"})',
        f"{GROUPED}(x{OWNED}) # by nobody's {{{{ nonsense }}}}",
        f"{GROUPED}(max_over_time(x{OWNED}[1h:{{{{window}}}}]))",
        GROUPED + "(x{namespace='{{ namespace }}', agent = \"{{ agent }}\", path=`\\{{2}`})",
    ],
)
def test_good_ones(template: str) -> None:
    assert complaints(template) == ()


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (f"x{OWNED}", "expected a query that groups by (version, cohort); got no by (…): write sum by"),
        (f"sum by (version) (x{OWNED})", "got by (version): write"),
        (f"sum by (cohort, le) (x{OWNED})", "got by (cohort, le): write"),
        (f"sum without (pod) (x{OWNED})", "got no by (…)"),
        (f'label_replace(x{OWNED}, "by (version, cohort)", "", "", "")', "got no by (…)"),
        (f"sum(x{OWNED}) # by (version, cohort)", "got no by (…)"),
        (f"{GROUPED}(x)", "neither matches nor groups by namespace or agent: write namespace="),
        (f"{GROUPED}(x{OWNED.replace('agent=', 'agent!=')})", "neither matches nor groups by agent"),
        (GROUPED + '(x{namespace="{{ namespace }}"})', "neither matches nor groups by agent"),
        (f'{GROUPED}(x{{namespace="{{{{ namespaces }}}}"}})', "expected one of the variables {{ namespace }}, {{ agent }}"),
        (f"{GROUPED}(x{OWNED}[{{{{ range }}}}])", "got {{ range }}"),
        (GROUPED + "(x{agent={{ agent }}})", 'inside the quotes of a label matcher; write agent="{{ agent }}"'),
        (GROUPED + "(x{agent=`{{ agent }}`})", "in double quotes"),
        (GROUPED + '(label_replace(x, "a", "{{ agent }}", "", ""))', "expected {{ agent }} in a label matcher"),
        (f'{GROUPED}(x{{a="{{{{ window }}}}"}})', "expected {{ window }} outside of quotes"),
        (f"{GROUPED}(x{OWNED}) > {{{{ window }}}}", "expected {{ window }} in a range"),
        (f'{GROUPED}(x{OWNED}) or y{{a="', 'expected a closing "'),
        (f"{GROUPED}(x{OWNED}) or {{{{ y", "expected a name and }} behind {{"),
        (f'{GROUPED}(x{OWNED}) or y{{a="{{{{ agent"}}', "expected a name and }} behind {{"),
    ],
)  # fmt: skip
def test_refusals_say_what_to_write(template: str, words: str) -> None:
    found = complaints(template)
    assert len(found) == 1
    assert words in found[0]
    with pytest.raises(ValueError, match="expected"):
        text(template)


def test_variables_are_put_in() -> None:
    template = f"{GROUPED}(rate(x{OWNED}[{{{{ window }}}}])) # the rate of {{{{ agent }}}}"
    assert text(template) == ('sum by (version, cohort) (rate(x{namespace="shop",agent="support"}[1h30m]))')


def test_values_are_escaped_for_their_quotes_and_for_regular_expressions() -> None:
    template = GROUPED + """(x{namespace='{{ namespace }}',agent=~"{{ agent }}.*",a!~"{{ agent }}"})"""
    assert text(template, namespace="o'hara\"\\\n", agent='a.b"|') == (
        GROUPED + r"""(x{namespace='o\'hara"\\\n',agent=~"a\\.b\"\\|.*",a!~"a\\.b\"\\|"})"""
    )


def test_an_escaped_brace_is_no_variable() -> None:
    """Else the backslash in front would take the first character of the value with it."""
    template = f'{GROUPED}(x{OWNED} or y{{a="\\{{{{ agent }}}}"}})'
    assert r'y{a="\{{ agent }}"}' in text(template, agent='"} or z{a="')


def test_a_value_isnt_looked_at_for_variables() -> None:
    assert text(f"{GROUPED}(x{OWNED})", namespace="{{ agent }}") == (
        GROUPED + '(x{namespace="{{ agent }}",agent="support"})'
    )


def test_what_is_matched_neednt_be_a_label() -> None:
    assert matched(f"{GROUPED}(x{OWNED})") == {"namespace", "agent"}
    assert matched("max by (agent, version, cohort) (x{namespace=~'{{ namespace }}|'})") == {"namespace"}
    assert matched("max by (namespace, agent, version, cohort) (x)") == frozenset()
