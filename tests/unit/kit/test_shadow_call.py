"""What is asked of the stable version, and that neither its silence nor its haste does any harm."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agentrollouts_kit.capture import MAX_ANSWER_BYTES, Answer, Request
from agentrollouts_kit.shadow_call import ShadowFailedError, ShadowRefusedError, ask_stable
from tests.unit.kit.stable import Stable, serving

REQUEST = Request("POST", "/v1/tasks?lang=en", (("content-type", "application/json"),), b'{"text": "hi"}')


@pytest.fixture
def stable() -> Iterator[Stable]:
    with serving() as made:
        yield made


def ask(stable: Stable, *, path: str = "", timeout_seconds: float = 30) -> Answer:
    return ask_stable(stable.url + path, REQUEST, cohort="candidate", timeout_seconds=timeout_seconds)


def test_it_asks_whether_shadows_are_answered_and_then_the_same_again(stable: Stable) -> None:
    assert ask(stable) == Answer(b'{"answer": "yes"}', "application/json")
    (first, target, marked, nothing), (method, same, headers, body) = stable.asked
    assert (first, target, nothing) == ("OPTIONS", "/v1/tasks?lang=en", b"")
    assert (method, same, body) == (*REQUEST[:2], REQUEST.body)
    assert marked["x-agent-shadow"] == headers["x-agent-shadow"] == "candidate"
    assert headers["content-type"] == "application/json"
    assert "cookie" not in headers


def test_the_url_may_have_a_path(stable: Stable) -> None:
    ask(stable, path="/agents/support/")
    assert {asked[1] for asked in stable.asked} == {"/agents/support/v1/tasks?lang=en"}


@pytest.mark.parametrize("word", ["", "refuses", "Answers"])
def test_who_does_not_say_so_is_not_asked(stable: Stable, word: str) -> None:
    stable.word = word
    with pytest.raises(ShadowRefusedError, match="does not say that it answers shadows"):
        ask(stable)
    assert [asked[0] for asked in stable.asked] == ["OPTIONS"]


@pytest.mark.parametrize("status", [302, 400, 500, 503])
def test_only_a_success_is_an_answer(stable: Stable, status: int) -> None:
    stable.status = status
    with pytest.raises(ShadowFailedError, match=str(status)):
        ask(stable)


def test_nobody_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(ShadowFailedError, match=url):
        ask_stable(url, REQUEST, cohort="candidate", timeout_seconds=5)


def start(handler: Any, *headers: tuple[str, str]) -> None:
    handler.send_response(200)
    for name, value in (("content-type", "text/plain"), *headers):
        handler.send_header(name, value)
    handler.end_headers()


def cut_off(handler: Any) -> None:
    start(handler, ("content-length", "100"))
    handler.wfile.write(b"half")
    handler.close_connection = True


def cut_off_in_chunks(handler: Any) -> None:
    start(handler, ("transfer-encoding", "chunked"))
    handler.wfile.write(b"4\r\nhalf\r\n")
    handler.close_connection = True


def too_long(handler: Any) -> None:
    start(handler, ("connection", "close"))
    handler.wfile.write(b"x" * (MAX_ANSWER_BYTES + 1))


def compressed(handler: Any) -> None:
    start(handler, ("content-encoding", "gzip"), ("content-length", "3"))
    handler.wfile.write(b"zip")


@pytest.mark.parametrize("send", [cut_off, cut_off_in_chunks, too_long, compressed])
def test_half_an_answer_and_too_much_of_one_are_none(stable: Stable, send: Any) -> None:
    stable.send = send
    with pytest.raises(ShadowFailedError):
        ask(stable)


def test_an_answer_in_chunks_is_read_to_its_end(stable: Stable) -> None:
    def in_chunks(handler: Any) -> None:
        start(handler, ("transfer-encoding", "chunked"))
        handler.wfile.write(b"4\r\nall \r\n5\r\nof it\r\n0\r\n\r\n")

    stable.send = in_chunks
    assert ask(stable) == Answer(b"all of it", "text/plain")


@pytest.mark.parametrize(
    "headers", [(), (("content-length", "1000000"),), (("transfer-encoding", "chunked"),)]
)
def test_a_stable_that_trickles_does_not_hold_on_beyond_the_time(stable: Stable, headers: Any) -> None:
    over = threading.Event()

    def trickle(handler: Any) -> None:
        start(handler, *headers)
        try:
            while not over.wait(0.01):
                handler.wfile.write(b"1\r\nx\r\n")
        except OSError:
            pass
        handler.close_connection = True

    stable.send = trickle
    # The answer never ends and never falls silent: without a bound this test would not end either.
    with pytest.raises(ShadowFailedError):
        ask(stable, timeout_seconds=0.3)
    over.set()
