"""Who has a token of one namespace learns nothing of another one, by no route and with either database.

Two ledgers have the same of `shop`, and only one of them has anything of `desk`: whatever a token of `shop` asks, both give
the same answer. Every route of the application is judged here; a new one fails until it has its probes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from agentrollouts.ledger.access import Access
from agentrollouts.ledger.app import build
from agentrollouts.ledger.database import Database
from agentrollouts.ledger.paging import Place, to_cursor
from agentrollouts.ledger.rights import EVERYWHERE_ONLY, RIGHTS
from agentrollouts.ledger.service import Service
from agentrollouts.ledger.store import Store
from agentrollouts.ledger.telemetry import Telemetry
from tests.ledger.asking import exchange
from tests.ledger.tasks import BEGIN, SECOND, document

NARROW = tuple(role for role in RIGHTS if role not in EVERYWHERE_ONLY)
OURS, THEIRS, NOBODYS = f"{4:032x}", f"{5:032x}", f"{99:032x}"
THEIR_CURSOR = to_cursor(Place(BEGIN + 5 * SECOND, THEIRS, "desk"))


class Probe(NamedTuple):
    """A request: the path as it is sent, and its JSON body."""

    path: str
    body: Any = None


def _probes(*paths: str, body: Any = None) -> tuple[Probe, ...]:
    return tuple(Probe(path, body) for path in paths)


OPEN: tuple[Probe, ...] = ()
"""Without a token, so what it answers has nothing of a namespace in it."""
JUDGED: dict[tuple[str, str], Sequence[Probe]] = {
    ("GET", "/v1/tasks"): _probes(
        "/v1/tasks",
        "/v1/tasks?limit=1",
        "/v1/tasks?namespace=shop",
        "/v1/tasks?namespace=shop&limit=1",
        "/v1/tasks?namespace=desk",
        "/v1/tasks?namespace=desk&agent=support&outcome=failure",
        "/v1/tasks?namespace=shop&namespace=desk",
        "/v1/tasks?namespace=",
        "/v1/tasks?namespace=%25",
        "/v1/tasks?namespace=lab",
        "/v1/tasks?namespace=shop&version=%00",
        f"/v1/tasks?namespace=shop&cursor={THEIR_CURSOR}",
        f"/v1/tasks?cursor={THEIR_CURSOR}",
    ),
    ("GET", "/v1/tasks/{id}"): _probes(
        *(f"/v1/tasks/{task}" for task in (OURS, THEIRS, NOBODYS)),
        *(f"/v1/tasks/{THEIRS}?namespace={name}" for name in ("shop", "desk", "lab")),
        f"/v1/tasks/{THEIRS}?namespace=shop&namespace=desk",
        "/v1/tasks/%00",
    ),
    ("POST", "/v1/tasks/{id}/expected"): _probes(
        *(f"/v1/tasks/{task}/expected" for task in (OURS, THEIRS, NOBODYS)),
        *(f"/v1/tasks/{THEIRS}/expected?namespace={name}" for name in ("shop", "desk", "lab")),
        "/v1/tasks/%00/expected",
        body={"expected": "dog", "outcome": "success"},
    ),
    ("GET", "/v1/failures"): _probes(
        *(f"/v1/failures?namespace={name}&agent=support" for name in ("shop", "desk", "lab")),
        "/v1/failures?agent=support",
        f"/v1/failures?namespace=shop&agent=support&cursor={THEIR_CURSOR}",
    ),
    ("GET", "/v1/evidence/{namespace}/{rollout}"): _probes(
        *(f"/v1/evidence/{name}/support" for name in ("shop", "desk", "lab"))
    ),
    ("GET", "/v1/evidence/{namespace}/{rollout}/{attempt:int}"): _probes(
        *(f"/v1/evidence/{name}/support/{attempt}" for name in ("shop", "desk", "lab") for attempt in (1, 2)),
        "/v1/evidence/shop/..%2F..%2Fdesk%2Fsupport/1",
    ),
    ("PUT", "/v1/evidence/{namespace}/{rollout}/{attempt:int}"): _probes(
        *(f"/v1/evidence/{name}/support/1" for name in ("shop", "desk", "lab")), body={"another": "bundle"}
    ),
    ("POST", "/v1/tasks"): (
        Probe("/v1/tasks", [document(50), document(4)]),
        Probe("/v1/tasks", [document(51, namespace="desk"), document(5, namespace="desk"), document(52)]),
        Probe("/v1/tasks", [document(53, namespace="lab")]),
        Probe("/v1/tasks", [document(5), document(7), document(5, namespace="desk")]),
    ),
    ("GET", "/healthz"): OPEN,
    ("GET", "/readyz"): OPEN,
    ("GET", "/metrics"): OPEN,
}


class Ledger:
    """A ledger with the tasks and the evidence of some namespaces."""

    def __init__(self, database: Database, tokens: Path, namespaces: Sequence[str]) -> None:
        self.app: Starlette = build(
            Service(
                Store(database, holdout=5_000),
                access=Access(tokens),
                redaction=(),
                telemetry=Telemetry(),
                clock=lambda: BEGIN,
            )
        )
        names = ["shop", "desk"]
        tasks = [document(number, namespace=names[number % 2], outcome="failure") for number in range(40)]
        for namespace in namespaces:
            own = [task for task in tasks if task["namespace"] == namespace]
            assert self.ask("agent", "POST", Probe("/v1/tasks", own)).json()["stored"] == 20
            kept = self.ask(
                "operator", "PUT", Probe(f"/v1/evidence/{namespace}/support/1", {"of": namespace})
            )
            assert kept.status_code == 201

    def ask(self, owner: str, method: str, probe: Probe) -> httpx.Response:
        content = None if probe.body is None else json.dumps(probe.body).encode()
        return exchange(self.app, method, probe.path, content, {"authorization": f"Bearer {_token(owner)}"})


def _token(owner: str) -> str:
    return f"{owner}-token-of-the-tests"


def _said(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, dict(answer.headers), answer.content


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    folder = tmp_path / "tokens"
    folder.mkdir()
    for owner in (*RIGHTS, *(f"{role}.shop" for role in NARROW)):
        (folder / owner).write_text(_token(owner))
    return folder


@pytest.fixture
def ledgers(
    make_database_url: Callable[[], str], open_url: Callable[[str], Database], tokens: Path
) -> tuple[Ledger, Ledger]:
    """(one with both namespaces, one with `shop` alone)."""
    both, alone = open_url(make_database_url()), open_url(make_database_url())
    return Ledger(both, tokens, ["shop", "desk"]), Ledger(alone, tokens, ["shop"])


def _asked(
    owner: str, ledgers: tuple[Ledger, Ledger]
) -> Iterator[tuple[Any, httpx.Response, httpx.Response]]:
    both, alone = ledgers
    for (method, route), probes in JUDGED.items():
        for probe in probes:
            yield (method, route, probe.path), both.ask(owner, method, probe), alone.ask(owner, method, probe)


def test_every_route_is_judged(ledgers: tuple[Ledger, Ledger]) -> None:
    found = set()
    for route in ledgers[0].app.routes:
        assert isinstance(route, Route), f"{route} has no probes: judge what is behind it"
        found |= {(method, route.path) for method in (route.methods or {"every method"}) - {"HEAD"}}
    assert found == JUDGED.keys()


def test_a_token_of_one_namespace_is_answered_as_if_there_were_no_other(
    ledgers: tuple[Ledger, Ledger],
) -> None:
    allowed = set()
    for role in NARROW:
        for about, one, other in _asked(f"{role}.shop", ledgers):
            assert _said(one) == _said(other), (role, about)
            assert one.status_code < 500, (role, about)
            if one.is_success:
                allowed.add(about[:2])
    # What nobody was let in to would prove nothing.
    tokenless = {key for key, probes in JUDGED.items() if probes is OPEN}
    assert allowed == JUDGED.keys() - tokenless - {key for key in JUDGED if key[0] == "PUT"}


def test_the_probes_would_notice_another_namespace(ledgers: tuple[Ledger, Ledger]) -> None:
    noticed = set()
    # The agent at the end: what it posts is in both.
    for role in sorted(RIGHTS, key="agent".__eq__):
        for about, one, other in _asked(role, ledgers):
            if _said(one) != _said(other):
                noticed.add(about[:2])
    assert noticed == {key for key, probes in JUDGED.items() if probes is not OPEN}


def test_what_needs_no_token_names_no_namespace(ledgers: tuple[Ledger, Ledger]) -> None:
    for (method, path), probes in JUDGED.items():
        if probes is OPEN:
            answer = ledgers[0].ask("agent", method, Probe(path))
            assert answer.is_success
            assert "desk" not in answer.text and "shop" not in answer.text


def test_all_pages_of_a_namespace_are_its_own(ledgers: tuple[Ledger, Ledger]) -> None:
    for path in ("/v1/tasks?namespace=shop&limit=3", "/v1/failures?namespace=shop&agent=support&limit=3"):
        seen: list[int] = []
        cursor = ""
        while True:
            page = ledgers[0].ask("reader.shop", "GET", Probe(path + cursor)).json()
            seen += [int(task["id"], 16) for task in page["tasks"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert seen == list(range(38, -1, -2))


def test_an_id_that_another_namespace_has_is_as_good_as_any(ledgers: tuple[Ledger, Ledger]) -> None:
    """Who guesses an id neither learns that it is taken, nor changes what has it, nor keeps anything out."""
    both, alone = ledgers
    theirs = Probe(f"/v1/tasks/{THEIRS}?namespace=desk")
    before = both.ask("reader", "GET", theirs).content
    label = Probe(f"/v1/tasks/{THEIRS}/expected", {"expected": "dog", "outcome": "success"})
    asked = [
        ("agent.shop", "POST", Probe("/v1/tasks", [document(5, output="ours")])),
        ("agent.shop", "POST", label),
        ("reader.shop", "GET", Probe(f"/v1/tasks/{THEIRS}")),
        ("reader.shop", "GET", Probe("/v1/tasks?namespace=shop&limit=200")),
    ]
    answers = [[_said(ledger.ask(*one)) for one in asked] for ledger in (both, alone)]
    assert answers[0] == answers[1]
    posted, labelled, read, _ = (both.ask(*one) for one in asked)
    assert posted.json() == {"stored": 0, "duplicates": 1, "rejected": []}
    assert (labelled.status_code, read.json()["output"], read.json()["expected"]) == (204, "ours", "dog")
    assert both.ask("reader", "GET", theirs).content == before
    for namespace in ("shop", "desk"):
        late = both.ask("agent", "POST", Probe("/v1/tasks", [document(99, namespace=namespace)]))
        assert late.json()["stored"] == 1


def test_who_opens_several_namespaces_says_which_task_is_meant(ledgers: tuple[Ledger, Ledger]) -> None:
    both, _ = ledgers
    both.ask("agent.shop", "POST", Probe("/v1/tasks", [document(5, output="ours")]))
    path = f"/v1/tasks/{THEIRS}"
    label = {"expected": "dog"}
    for owner, method, probe in (
        ("reader", "GET", Probe(path)),
        ("agent", "POST", Probe(f"{path}/expected", label)),
    ):
        answer = both.ask(owner, method, probe)
        assert answer.status_code == 400
        assert "as namespace=NAMESPACE" in answer.json()["error"]
    for name, output in (("shop", "ours"), ("desk", None)):
        assert both.ask("reader", "GET", Probe(f"{path}?namespace={name}")).json()["output"] == output
    assert both.ask("agent", "POST", Probe(f"{path}/expected?namespace=desk", label)).status_code == 204
    known = [both.ask("reader", "GET", Probe(f"{path}?namespace={name}")).json() for name in ("shop", "desk")]
    assert [task["expected"] for task in known] == [None, "dog"]
    assert both.ask("reader", "GET", Probe(f"/v1/tasks/{OURS}")).json()["namespace"] == "shop"
