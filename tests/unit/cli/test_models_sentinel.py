"""`models sentinel` against real HTTP servers: an agent that drifts, and an API server that takes Events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cli.runs import refused, run

PROBES = """
cases:
- {name: one, inputs: {text: one}, expected_output: ONE}
- {name: two, inputs: {text: two}, expected_output: TWO}
"""


class World(ThreadingHTTPServer):
    """An agent at /ask, and everything else is the API server; ``answers`` maps what was asked to what is answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, str | int] = {"one": "ONE", "two": "TWO"}
        self.version = "2.0.0"
        self.requests: list[tuple[str, str, Any]] = []
        self.event_status = 201

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: World

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/ask":
            answer = self.server.answers[body["text"]]
            status, reply = (answer, {}) if isinstance(answer, int) else (200, {"label": answer})
        else:
            self.server.requests.append(("POST", self.path, body))
            status, reply = self.server.event_status, body
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("x-routed-version", self.server.version)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    with World() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        (tmp_path / "probes.yaml").write_text(PROBES)
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        kubeconfig = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [context],
            "clusters": [{"name": "c", "cluster": {"server": server.url}}], "users": [{"name": "u", "user": {"token": "t"}}],
        }  # fmt: skip
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
        recorded = run(
            "eval", "run", "probes.yaml", "--target", f"{server.url}/ask", "--answer", "label", "--repeat", "20",
            "--agent", "support", "--version", "2.0.0", "-o", "baseline.json",
        )  # fmt: skip
        assert recorded.exit_code == 0
        yield server
        server.shutdown()
        thread.join()


def look(world: World, *more: str) -> tuple[str, ...]:
    where = (
        "--target",
        f"{world.url}/ask",
        "--answer",
        "label",
        "--baseline",
        "baseline.json",
        "--state",
        "state.json",
    )
    return ("models", "sentinel", "probes.yaml", *where, *more)


def test_looks_add_up_until_they_are_an_alarm_and_an_event(world: World) -> None:
    event = ("--event-namespace", "shop", "--kubeconfig", "kubeconfig")
    assert run(*look(world, *event)).exit_code == 0
    assert world.requests == []
    world.answers["two"] = "ZWEI"
    for number in range(2, 30):
        found = run(*look(world, *event))
        assert f"; look {number}" in found.stdout
        if found.exit_code:
            break
    error = refused(*look(world))
    assert (error.status, str(error).startswith("the model drifted though nothing was deployed")) == (1, True)
    ((method, path, body),) = world.requests
    assert (method, path.partition("?")[0]) == ("POST", "/apis/events.k8s.io/v1/namespaces/shop/events")
    assert (body["reason"], body["type"], body["reportingController"]) == (
        "ModelDrifted",
        "Warning",
        "agentrollouts.io/sentinel",
    )
    assert (body["regarding"]["kind"], body["regarding"]["name"]) == ("AgentVersion", "support-2.0.0")
    assert "Most: two 0.00, accepted with 1.00" in body["note"]


def drifted(world: World) -> None:
    world.answers.update(one="EINS", two="ZWEI")
    for _ in range(30):
        if run(*look(world)).exit_code:
            return
    pytest.fail("no alarm")


def test_an_event_that_is_refused_hides_no_drift(world: World) -> None:
    drifted(world)
    world.event_status = 403
    found = run(*look(world, "--event-namespace", "shop", "--kubeconfig", "kubeconfig"))
    assert "! no Event was written" in found.stderr
    assert getattr(found.exception, "status", None) == 1
    assert json.loads(run(*look(world, "-o", "json")).stdout)["drifted"] is True


def test_an_agent_that_is_down_is_2_and_no_drift(world: World) -> None:
    world.answers["two"] = 503
    for _ in range(12):
        error = refused(*look(world, "--event-namespace", "shop", "--kubeconfig", "kubeconfig"))
        assert (error.status, "1 probe(s) gave no answer" in str(error)) == (2, True)
    assert world.requests == []
    assert json.loads((Path("state.json")).read_text())["drifted"] == ""


def test_another_versions_answers_dont_count(world: World) -> None:
    world.version = "2.1.0"
    world.answers["two"] = "ZWEI"
    found = run(*look(world))
    assert "! two: no answer: version 2.1.0 answered; the baseline is of 2.0.0" in found.stderr
    assert getattr(found.exception, "status", None) == 2


def test_another_baseline_begins_anew_and_says_so(world: World) -> None:
    drifted(world)
    baseline = json.loads(Path("baseline.json").read_text())
    Path("baseline.json").write_text(json.dumps({**baseline, "version": "2.0.1"}))
    world.version = "2.0.1"
    world.answers.update(one="ONE", two="TWO")
    found = run(*look(world))
    assert (
        found.exit_code,
        "state.json was about another baseline or other options: begun anew" in found.stderr,
    ) == (0, True)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("state.json", "{", "expected the state of a sentinel"),
        ("baseline.json", '{"mean_score": 1}', "expected a whole baseline"),
        ("probes.yaml", PROBES + "# changed\n", "expected a baseline of these probes"),
    ],
)
def test_what_cant_be_used_is_2_and_nothing_is_overwritten(
    world: World, name: str, text: str, words: str
) -> None:
    Path(name).write_text(text)
    error = refused(*look(world))
    assert (error.status, words in str(error)) == (2, True)
    assert Path(name).read_text() == text
    assert refused(*look(world, "--alpha", "0%")).status == 2
