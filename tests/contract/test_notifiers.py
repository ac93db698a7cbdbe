"""One contract for every notifier: each kind over real HTTP, and the fake where it can play along."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from agentrollouts.api.notify import NOTIFIER_KINDS, NoticeStatus, NotifierSpec
from agentrollouts.notifiers import Destinations, Notifiers
from agentrollouts.ports import Delivered, Notice, Notifier, Undelivered
from tests.fakes.notifier import FakeNotifier
from tests.fakes.receiver import Receiver, receiving
from tests.fakes.stage import START, HandClock

NOTICE = Notice(
    "shop",
    "support",
    "support",
    NoticeStatus(
        id="u-1.3.RolledBack",
        happening="RolledBack",
        at=START,
        to=("oncall",),
        attempt=3,
        candidate="2.0.0",
        stable="1.0.0",
        share_before=500,
        reason="CheckFailed",
        message="success: succeeded 88.1% of 260 sessions against 97.4%",
        changes=("prompts: digest: sha256:aa -> sha256:bb",),
        diff="prompts: prompts/system.md\n@@ -1 +1 @@\n-Be brief.\n+Be kind to them.",
    ),
)


@dataclass
class Rig:
    """A notifier, and a destination that a test plays."""

    notifier: Notifier
    spec: NotifierSpec
    receiver: Receiver
    folder: Path

    async def send(self) -> Delivered | Undelivered:
        return await self.notifier.send(NOTICE, spec=self.spec)

    def points_to(self, url: str) -> None:
        (self.folder / "oncall").write_text(url + "\n")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest_asyncio.fixture(params=NOTIFIER_KINDS)
async def rig(request: pytest.FixtureRequest, receiver: Receiver, tmp_path: Path) -> AsyncIterator[Rig]:
    spec = NotifierSpec.model_validate({"name": "oncall", request.param: {"ref": "oncall"}})
    notifier = Notifiers(Destinations(tmp_path), HandClock())
    found = Rig(notifier, spec, receiver, tmp_path)
    found.points_to(receiver.url())
    yield found
    await notifier.close()


def reason(said: Delivered | Undelivered) -> str:
    """Why it wasn't delivered; whatever it is, it holds nothing of the URL but the host."""
    assert isinstance(said, Undelivered)
    assert "secret" not in said.reason
    return said.reason


@pytest.mark.asyncio
async def test_what_is_taken_is_delivered(rig: Rig) -> None:
    assert await rig.send() == Delivered()
    ((path, headers, body),) = rig.receiver.got
    assert path == "/hook/the-secret"
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"localhost:{rig.receiver.port}", "the name, not the address it was found at"
    assert b"2.0.0" in body


@pytest.mark.asyncio
@pytest.mark.parametrize("is_sent", [True, False])
async def test_the_lines_of_a_prompt_are_sent_unless_they_are_to_stay(rig: Rig, is_sent: bool) -> None:
    rig.spec = rig.spec.model_copy(update={"diff": is_sent})
    assert await rig.send() == Delivered()
    ((_, _, body),) = rig.receiver.got
    assert (b"Be kind to them." in body) is is_sent
    assert b"prompts: digest" in body


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [201, 202, 204])
async def test_every_success_counts(rig: Rig, status: int) -> None:
    rig.receiver.statuses, rig.receiver.body = [status], b""
    assert await rig.send() == Delivered()


@pytest.mark.asyncio
async def test_a_refusal_is_a_value_and_the_same_notice_may_come_again(rig: Rig) -> None:
    rig.receiver.statuses = [500]
    assert await rig.send() == Undelivered("localhost answered with HTTP 500")
    assert await rig.send() == Delivered()
    first, second = (body for _, _, body in rig.receiver.got)
    assert first == second


@pytest.mark.asyncio
@pytest.mark.parametrize(("header", "pause"), [("17", 17.0), ("86400", 300.0), ("-1", None), ("soon", None)])
async def test_a_destination_may_ask_for_a_pause(rig: Rig, header: str, pause: float | None) -> None:
    rig.receiver.statuses, rig.receiver.headers = [429], {"retry-after": header}
    assert await rig.send() == Undelivered("localhost answered with HTTP 429", pause)


@pytest.mark.asyncio
async def test_one_that_hangs_can_be_left_and_serves_the_next_time(rig: Rig) -> None:
    rig.receiver.hangs = True
    task = asyncio.create_task(rig.send())
    arrived = asyncio.to_thread(_wait_for, rig.receiver)
    await arrived
    task.cancel()
    await asyncio.wait([task])
    rig.receiver.hangs = False
    assert await rig.send() == Delivered()


def _wait_for(receiver: Receiver) -> None:
    while not receiver.got:
        receiver.released.wait(0.01)


@pytest.mark.asyncio
async def test_nobody_there(rig: Rig) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and doesn't listen
        rig.points_to(f"http://127.0.0.1:{taken.getsockname()[1]}/secret")
        assert reason(await rig.send()) == "127.0.0.1 can't be reached: no connection"


@pytest.mark.asyncio
async def test_no_such_name(rig: Rig) -> None:
    rig.points_to("http://nobody.invalid/secret")
    assert reason(await rig.send()) == "nobody.invalid can't be found"


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_is_followed(rig: Rig, status: int) -> None:
    rig.receiver.statuses = [status]
    rig.receiver.headers = {"location": rig.receiver.url("/elsewhere")}
    said = reason(await rig.send())
    assert said == f"localhost answered with HTTP {status}; redirects aren't followed"
    assert len(rig.receiver.got) == 1


@pytest.mark.asyncio
async def test_the_body_of_an_answer_is_not_waited_for_however_large_it_is(rig: Rig) -> None:
    rig.receiver.body, rig.receiver.trickles = bytes(1 << 20), True
    assert await rig.send() == Delivered()


@pytest.mark.asyncio
async def test_of_several_addresses_one_that_answers_is_enough(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_up(name: str, port: int, **more: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{number}", port)) for number in (3, 2, 1)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    assert await rig.send() == Delivered()
    assert len(rig.receiver.got) == 1


@pytest.mark.asyncio
async def test_what_an_answer_says_is_not_shown(rig: Rig) -> None:
    rig.receiver.statuses, rig.receiver.body = [400], b"<!channel> secret"
    assert reason(await rig.send()) == "localhost answered with HTTP 400"


@pytest.mark.asyncio
async def test_no_tls_where_it_is_expected(rig: Rig) -> None:
    rig.points_to(rig.receiver.url(scheme="https"))
    assert "doesn't speak TLS" in reason(await rig.send())


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """(certificate, key) for a host, signed by itself."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2")
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    files = ("-keyout", str(key), "-out", str(cert))
    subprocess.run(["openssl", "req", "-x509", *made, *subject, *files], check=True, capture_output=True)
    return cert, key


@pytest.mark.asyncio
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
@pytest.mark.parametrize(
    ("name", "trusted", "expected"),
    [("localhost", True, ""), ("localhost", False, "isn't trusted"), ("elsewhere", True, "isn't trusted")],
)
async def test_the_certificate_must_be_the_names(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, name: str, trusted: bool, expected: str
) -> None:
    cert, key = certificate(tmp_path, name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    with receiving(certificate=(cert, key)) as receiver:
        rig.points_to(receiver.url(scheme="https"))
        said = await rig.send()
    assert (expected in reason(said)) if expected else said == Delivered()
    assert bool(receiver.got) is not bool(expected)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "0.0.0.0",
        "2852039166",  # 169.254.169.254 as one number
    ],
)
async def test_metadata_and_link_local_addresses_are_not_called(rig: Rig, host: str) -> None:
    rig.points_to(f"http://{host}/latest/secret")
    assert "isn't called" in reason(await rig.send())


@pytest.mark.asyncio
async def test_a_name_that_leads_there_is_not_called_either(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_up(name: str, port: int, **more: object) -> list[tuple[object, ...]]:
        tcp = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*tcp, ("127.0.0.1", port)), (*tcp, ("169.254.169.254", port))]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    assert "localhost is a link-local" in reason(await rig.send())
    assert rig.receiver.got == []


@pytest.mark.asyncio
async def test_the_proxy_of_the_environment_is_used(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", rig.receiver.url(""))
    monkeypatch.setenv("no_proxy", "")
    rig.points_to("http://chat.example/hook")
    assert await rig.send() == Delivered()
    ((path, headers, _),) = rig.receiver.got
    assert (path, headers["host"]) == ("http://chat.example/hook", "chat.example")
    rig.points_to("http://169.254.169.254/hook")
    assert "isn't called" in reason(await rig.send())
    monkeypatch.setenv("no_proxy", "localhost")
    rig.points_to(rig.receiver.url("/direct"))
    assert await rig.send() == Delivered()
    assert rig.receiver.got[-1][0] == "/direct"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "there is no destination oncall; the operator's Secret has none"),
        ("ftp://x/secret", "expected an http or https URL"),
        ("file:///etc/secret", "expected an http or https URL"),
        ("hooks.example/secret", "expected an http or https URL"),
        ("http://", "expected an http or https URL"),
        ("http://user:secret@hooks.example/", "without a user"),
        ("http://[secret", "expected an http or https URL"),
        ("http://hooks.example:secret/", "expected an http or https URL"),
        ("http://hooks.example/" + "secret" * 1_000, "longer than 4096 bytes"),
    ],
)
async def test_a_destination_that_is_none(rig: Rig, url: str, words: str) -> None:
    rig.points_to(url)
    assert words in reason(await rig.send())


@pytest.mark.asyncio
async def test_a_destination_may_be_for_some_namespaces_only(rig: Rig) -> None:
    (rig.folder / "oncall.namespaces").write_text("desk, shop\n")
    assert await rig.send() == Delivered()
    (rig.folder / "oncall.namespaces").write_text("desk\nbilling\n")
    assert reason(await rig.send()) == "destination oncall is not for namespace shop"


@pytest.mark.asyncio
async def test_the_fake_keeps_the_same_contract() -> None:
    fake = FakeNotifier(answers={"oncall": Undelivered("localhost answered with HTTP 500")})
    spec = NotifierSpec.model_validate({"name": "oncall", "webhook": {"ref": "oncall"}})
    assert await fake.send(NOTICE, spec=spec) == Undelivered("localhost answered with HTTP 500")
    fake.answers.clear()
    assert await fake.send(NOTICE, spec=spec) == Delivered()
    fake.hangs = {"oncall"}
    task = asyncio.create_task(fake.send(NOTICE, spec=spec))
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    await fake.close()
