from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentrollouts.release.artifact import Artifact
from agentrollouts.release.diff import Change, diff
from agentrollouts.release.diff_report import document, report
from agentrollouts.release.source import read_source
from tests.releases import directory, release, tool

REFUND = tool("refund_order", permissions=["orders:refund", "mail:send"], sideEffects="unsafe")


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Makes an artifact of a directory with these changes; ``files`` are written over."""
    made = 0

    def artifact(*, files: dict[str, str] | None = None, **changes: Any) -> Artifact:
        nonlocal made
        made += 1
        folder = directory(tmp_path / str(made), **changes)
        for name, text in (files or {}).items():
            (folder / name).write_bytes(text.encode())
        return read_source(folder)

    return artifact


def said(change: Change) -> tuple[str, str, str | None, str | None, bool]:
    return change.part, change.subject, change.old, change.new, change.grants


def test_nothing_differs_between_the_same(make: Any) -> None:
    assert diff(make(), make(version="9.9.9")) == ()


def test_model_parameters_differ_by_name_and_type(make: Any) -> None:
    model = release()["model"]
    parameters = {"temperature": "0.7", "max_tokens": "1024", "stream": 1, "seed": 7}
    new = make(model=model | {"snapshot": "2026-06-01", "parameters": parameters})
    assert [said(change)[1:4] for change in diff(make(), new)] == [
        ("parameters.max_tokens", "1024", '"1024"'),
        ("parameters.seed", None, "7"),
        ("parameters.stream", "true", "1"),
        ("parameters.temperature", '"0.2"', '"0.7"'),
        ("snapshot", '"2026-05-01"', '"2026-06-01"'),
    ]


def test_the_image_differs_by_digest(make: Any) -> None:
    new = make(code={"image": f"registry.example.com/support:2.1.0@sha256:{'d' * 64}"})
    assert [said(change)[:4] for change in diff(make(), new)] == [
        ("code", "digest", f'"sha256:{"c" * 64}"', f'"sha256:{"d" * 64}"')
    ]


def test_prompts_differ_line_by_line(make: Any) -> None:
    new = make(files={"prompts/system.md": "You are a support agent.\nBe kind.\n", "prompts/new.md": "Hi"})
    first, second = diff(make(), new)
    assert (first.subject, first.old, first.new) == ("prompts/new.md", None, "1 line")
    assert first.lines == ("@@ -0,0 +1 @@", "+Hi", "\\ No newline at end of file")
    assert (second.subject, second.old, second.new) == ("prompts/system.md", "2 lines", "2 lines")
    assert second.lines == ("@@ -1,2 +1,2 @@", " You are a support agent.", "-Be brief.", "+Be kind.")


def test_what_grants_more_comes_first(make: Any) -> None:
    old = make(tools=[tool(), tool("search")])
    new = make(
        tools=[tool(permissions=["orders:write"], sideEffects="unsafe"), REFUND],
        files={"prompts/system.md": "x"},
    )
    assert [said(change) for change in diff(old, new)] == [
        ("tools", "lookup_order: permission", None, "orders:write", True),
        ("tools", "lookup_order: side effects", "safe", "unsafe", True),
        ("tools", "refund_order", None, "unsafe, may orders:refund, mail:send", True),
        ("prompts", "prompts/system.md", "2 lines", "1 line", False),
        ("tools", "lookup_order: permission", "orders:read", None, False),
        ("tools", "search", "safe, may orders:read", None, False),
    ]


def test_becoming_safe_grants_nothing(make: Any) -> None:
    old, new = make(tools=[tool(sideEffects="unsafe")]), make()
    assert [said(change) for change in diff(old, new)] == [
        ("tools", "lookup_order: side effects", "unsafe", "safe", False)
    ]


def test_tools_differ_line_by_line(make: Any) -> None:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    new = make(tools=[tool(description="Look an order up.\nBy its customer.", inputSchema=schema)])
    (change,) = diff(make(), new)
    assert change.subject == "lookup_order"
    changed = [line for line in change.lines if line[0] in "+-"]
    assert changed == [
        "-By its number.",
        "+By its customer.",
        '-        "type": "string"',
        '+        "type": "integer"',
    ]


def test_order_differs_where_nothing_else_does(make: Any) -> None:
    old, new = make(tools=[tool(), REFUND]), make(tools=[REFUND, tool()])
    assert [said(change)[1:4] for change in diff(old, new)] == [
        ("order", "lookup_order, refund_order", "refund_order, lookup_order")
    ]
    old = make(tools=[tool(permissions=["a", "b"])])
    new = make(tools=[tool(permissions=["b", "a"])])
    assert [said(change)[1:4] for change in diff(old, new)] == [
        ("lookup_order: order of permissions", "a, b", "b, a")
    ]


def test_true_and_one_differ_in_a_schema(make: Any) -> None:
    old, new = make(tools=[tool(inputSchema={"x": True})]), make(tools=[tool(inputSchema={"x": 1})])
    assert [line for line in diff(old, new)[0].lines if line[0] in "+-"] == ['-    "x": true', '+    "x": 1']


def test_data_differs_by_file(make: Any) -> None:
    changes = diff(make(), make(files={"data/faq.json": "{}", "data/more.json": "1"}))
    assert [change.subject for change in changes] == ["digest", "files.data/faq.json", "files.data/more.json"]


def test_the_report_lists_all_changes_before_any_text(make: Any) -> None:
    new = make(version="2.2.0", tools=[tool(), REFUND], files={"prompts/system.md": "You\x1b[2K are.\r\n"})
    old = make()
    lines = report(old, new, diff(old, new)).splitlines()
    assert lines[:2] == [f"support 2.1.0 {old.digest}", f"support 2.2.0 {new.digest}"]
    assert lines[2:5] == [
        "! tools: refund_order: new: unsafe, may orders:refund, mail:send",
        "  prompts: prompts/system.md: 2 lines -> 1 line",
        "",
    ]
    assert lines[5] == "tools: refund_order"
    assert lines[-1] == "+You\\u{1b}[2K are.\\r"


def test_the_report_of_nothing_says_so(make: Any) -> None:
    assert report(make(), make(), ()).endswith("no part differs\n")


def test_a_bounded_report_says_what_it_left_out(make: Any) -> None:
    old, new = make(), make(files={"prompts/system.md": "€\n" * 500})
    whole = report(old, new, diff(old, new))
    for most in (250, 251, 252, 253, len(whole.encode()) - 1):
        text = report(old, new, diff(old, new), most=most)
        *kept, last = text.splitlines(keepends=True)
        assert len(text.encode()) <= most
        assert whole.startswith("".join(kept))
        left = whole.removeprefix("".join(kept))
        assert last == f"… {left.count(chr(10))} more lines ({len(left.encode())} bytes) left out\n"
    assert report(old, new, diff(old, new), most=len(whole.encode())) == whole


def test_the_document_has_both_artifacts_and_every_change(make: Any) -> None:
    old, new = make(), make(tools=[tool(), REFUND])
    found = document(old, new, diff(old, new))
    assert found["old"] == {"agent": "support", "version": "2.1.0", "digest": old.digest, "parts": old.parts}
    assert found["new"]["digest"] == new.digest
    (change,) = found["changes"]
    assert (change["part"], change["subject"], change["old"], change["grants"]) == (
        "tools",
        "refund_order",
        None,
        True,
    )
    assert change["lines"][1] == "+Look an order up."
