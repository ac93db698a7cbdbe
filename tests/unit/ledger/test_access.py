"""Tokens by the files they are in: what each opens, what is refused at the start, and what happens to a folder that changes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agentrollouts.ledger.access import Access
from agentrollouts.ledger.rights import RIGHTS, Grants, NotAllowedError, Right
from tests.ledger.tasks import document
from tests.unit.ledger.conftest import TOKENS, Ask, told

Make = Callable[..., Ask]
SAME = "one-token-in-several-files"


def _as(token: str) -> dict[str, Any]:
    return {"headers": {"authorization": f"Bearer {token}"}}


def _grants(access: Access, token: str) -> Grants:
    return access.grants(f"Bearer {token}")


def test_without_a_namespace_or_with_another_one_a_narrow_token_says_what_it_opens(
    make: Make, tmp_path: Path
) -> None:
    ask = make(tokens=True)
    (tmp_path / "tokens" / "reader.shop").write_text(SAME)
    for path, words in {
        "/v1/tasks": "read tasks of shop, .* got no namespace: add namespace=shop",
        "/v1/tasks?namespace=desk": "read tasks of shop, .* got 'desk'",
        "/v1/failures?agent=support": "read tasks of shop, .* got no namespace",
        "/v1/failures?namespace=desk&agent=support": "read tasks of shop, .* got 'desk'",
        f"/v1/tasks/{1:032x}?namespace=desk": "read tasks of shop, .* got 'desk'",
        "/v1/evidence/desk/support": "read evidence of shop, .* got 'desk'",
        "/v1/evidence/desk/support/1": "read evidence of shop, .* got 'desk'",
    }.items():
        answer = ask("GET", path, **_as(SAME))
        assert answer.status_code == 403, path
        assert re.search(words, told(answer))
    assert ask("GET", "/v1/tasks?namespace=shop", **_as(SAME)).status_code == 200
    assert ask("POST", "/v1/tasks", [], **_as(SAME)).status_code == 403


def test_of_a_batch_the_tasks_of_the_tokens_namespace_are_stored_and_each_other_one_is_refused(
    make: Make, tmp_path: Path
) -> None:
    def hook(text: str) -> str:
        assert "theirs" not in text, "what isn't stored is redacted by nobody"
        return text

    ask = make(tokens=True, redaction=(hook,))
    (tmp_path / "tokens" / "agent.shop").write_text(SAME)
    batch = [document(1), document(2, namespace="desk", input="theirs"), {"id": "x"}, document(3)]
    answer = ask("POST", "/v1/tasks", batch, **_as(SAME))
    assert answer.status_code == 202
    assert answer.json()["stored"] == 2
    (foreign, _) = answer.json()["rejected"]
    assert (foreign["index"], foreign["id"]) == (1, f"{2:032x}")
    assert "expected shop, which is all that this token opens; got 'desk'" in foreign["error"]
    seen = ask("GET", "/v1/tasks", role="reader").json()["tasks"]
    assert [int(task["id"], 16) for task in seen] == [3, 1]
    lines = b"\n".join(
        json.dumps(document(number, namespace=name)).encode() for number, name in ((4, "desk"), (5, "shop"))
    )
    kind = {"authorization": f"Bearer {SAME}", "content-type": "application/x-ndjson"}
    assert ask("POST", "/v1/tasks", lines, headers=kind).json()["stored"] == 1


def test_a_task_of_another_namespace_is_as_if_there_were_none(make: Make, tmp_path: Path) -> None:
    ask = make(tokens=True)
    for owner in ("agent.shop", "reader.shop"):
        (tmp_path / "tokens" / owner).write_text(SAME)
    ask("POST", "/v1/tasks", [document(1), document(2, namespace="desk")], role="agent")
    cases: list[tuple[str, str, Any]] = [("GET", "", None), ("POST", "/expected", {"expected": 1})]
    for method, path, body in cases:
        theirs, nobodys = (
            ask(method, f"/v1/tasks/{number:032x}{path}", body, **_as(SAME)) for number in (2, 3)
        )
        assert (theirs.status_code, nobodys.status_code) == (404, 404)
        assert told(theirs).replace(f"{2:032x}", f"{3:032x}") == told(nobodys)
        assert ask(method, f"/v1/tasks/{1:032x}{path}", body, **_as(SAME)).is_success


def test_a_token_in_several_files_has_what_each_of_them_gives(tmp_path: Path) -> None:
    for owner in ("agent", "reader.shop", "reader.desk", "improver.lab", "agent.shop"):
        (tmp_path / owner).write_text(SAME)
    grants = _grants(Access(tmp_path), SAME)
    assert grants.where == {
        Right.WRITE_TASKS: None,
        Right.READ_TASKS: {"shop", "desk", "lab"},
        Right.READ_HOLDOUTS: {"shop", "desk"},
        Right.READ_EVIDENCE: {"shop", "desk"},
    }
    for opened in ("shop", "desk"):
        grants.demand(Right.READ_EVIDENCE, opened)
    for right, namespace, words in (
        (Right.READ_TASKS, None, "read tasks of desk or lab or shop, one namespace in a request"),
        (Right.READ_EVIDENCE, "lab", "read evidence of desk or shop"),
        (Right.WRITE_EVIDENCE, "shop", "may not write evidence"),
    ):
        with pytest.raises(NotAllowedError, match=words):
            grants.demand(right, namespace)


def test_an_improver_of_a_namespace_meets_no_task_that_is_held_out(make: Make, tmp_path: Path) -> None:
    ask = make(tokens=True, holdout=10_000)
    (tmp_path / "tokens" / "improver.shop").write_text(SAME)
    ask("POST", "/v1/tasks", [document(1)], role="agent")
    assert ask("GET", "/v1/tasks?namespace=shop", **_as(SAME)).json()["tasks"] == []
    assert ask("GET", f"/v1/tasks/{1:032x}", **_as(SAME)).status_code == 404
    assert ask("GET", "/v1/evidence/shop/support", **_as(SAME)).status_code == 403
    (tmp_path / "tokens" / "reader.shop").write_text(SAME)
    assert len(ask("GET", "/v1/tasks?namespace=shop", **_as(SAME)).json()["tasks"]) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("operator.shop", "hold in every namespace"),
        ("reader.Shop", "lower-case"),
        ("reader.my.shop", "no dots"),
        ("agent.", "such as agent.shop"),
        ("agent.-shop", "such as agent.shop"),
        ("improver.shop~", "such as improver.shop"),
        ("reader." + "a" * 64, "such as reader.shop"),
    ],
)
def test_a_file_that_opens_nothing_is_refused_at_the_start(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "agent").write_text("a-token-of-the-tests")
    Access(tmp_path).check()
    (tmp_path / name).write_text(SAME)
    with pytest.raises(ValueError, match=words) as refused:
        Access(tmp_path).check()
    assert repr(str(tmp_path / name)) in str(refused.value)
    assert SAME not in str(refused.value)


def test_a_namespaces_file_alone_is_enough_and_its_tokens_must_be_long(tmp_path: Path) -> None:
    (tmp_path / "reader.shop").write_text(SAME)
    Access(tmp_path).check()
    (tmp_path / "reader.shop").write_text("short")
    with pytest.raises(ValueError, match=r"one in .*reader\.shop has 5"):
        Access(tmp_path).check()


def test_files_that_are_named_for_no_role_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "agent").write_text("a-token-of-the-tests")
    for name in ("README.md", ".agent.swp", "agents", "viewer.shop", "..data"):
        (tmp_path / name).write_bytes(b"\xff")
    Access(tmp_path).check()


def test_what_cannot_be_read_is_refused_without_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "agent").write_bytes(b"secret-\xff-of-the-tests")
    with pytest.raises(ValueError, match="no UTF-8 text") as refused:
        Access(tmp_path).check()
    assert "secret" not in str(refused.value)
    (tmp_path / "agent").unlink()
    (tmp_path / "agent").mkdir()
    with pytest.raises(ValueError, match="directory"):
        Access(tmp_path).check()


def test_in_a_folder_that_changes_a_wrong_file_opens_nothing_is_logged_once_and_the_others_hold(
    tmp_path: Path,
) -> None:
    (tmp_path / "reader").write_text(TOKENS["reader"])
    access = Access(tmp_path)
    access.check()
    for name in ("reader.my.shop", "operator.shop"):
        (tmp_path / name).write_text(SAME)
    with capture_logs() as logs:
        for _ in range(3):
            assert _grants(access, TOKENS["reader"]).where.keys() == RIGHTS["reader"]
            with pytest.raises(NotAllowedError, match="none of this ledger's"):
                _grants(access, SAME)
    assert sorted(entry["error"].split("'")[-2].rpartition("/")[2] for entry in logs) == [
        "operator.shop",
        "reader.my.shop",
    ]
    assert {entry["log_level"] for entry in logs} == {"warning"}
    assert SAME not in str(logs)
    (tmp_path / "operator.shop").unlink()
    with capture_logs() as logs:
        _grants(access, TOKENS["reader"])
        (tmp_path / "operator.shop").write_text(SAME)
        _grants(access, TOKENS["reader"])
    assert len(logs) == 1


def _mounted(folder: Path, version: str, files: dict[str, str]) -> None:
    """As the kubelet does: files are links through `..data`, which goes from one folder to the next at once."""
    content = folder / f"..{version}"
    content.mkdir()
    for name, token in files.items():
        (content / name).write_text(token)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    (folder / "..new").symlink_to(content.name)
    (folder / "..new").rename(folder / "..data")


def test_a_mounted_secret_that_is_changed_holds_at_once(tmp_path: Path) -> None:
    _mounted(tmp_path, "1", {"reader.shop": SAME, "agent": TOKENS["agent"]})
    access = Access(tmp_path)
    assert _grants(access, SAME).where[Right.READ_TASKS] == frozenset({"shop"})
    _mounted(
        tmp_path,
        "2",
        {"reader.shop": "the-next-token-of-shop", "reader.desk": SAME, "agent": TOKENS["agent"]},
    )
    assert _grants(access, SAME).where[Right.READ_TASKS] == frozenset({"desk"})
    assert _grants(access, "the-next-token-of-shop").where[Right.READ_TASKS] == frozenset({"shop"})
    _mounted(tmp_path, "3", {"agent": TOKENS["agent"]})
    for gone in (SAME, "the-next-token-of-shop"):
        with pytest.raises(NotAllowedError):
            _grants(access, gone)
    assert _grants(access, TOKENS["agent"]).where == {Right.WRITE_TASKS: None}
