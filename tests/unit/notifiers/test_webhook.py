"""What a webhook gets: a document that stays what it is, and a signature that others can check."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import httpx
import pytest

from agentrollouts.api.notify import WebhookSpec
from agentrollouts.notifiers.destinations import Destination, DestinationError, Destinations
from agentrollouts.notifiers.webhook import compose, document, signature
from tests.unit.notifiers.test_slack import notice

SPEC = WebhookSpec(ref="oncall")
HERE = httpx.URL("http://hooks.example/")


def test_the_document() -> None:
    assert document(notice(diff='-Be brief.\n+Be "kind".\n')) == {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": "Notice",
        "id": "u-1.3.RolledBack",
        "happening": "RolledBack",
        "time": "2026-01-05T09:00:00.000000Z",
        "namespace": "shop",
        "rollout": "support",
        "agent": "support",
        "attempt": 3,
        "headline": "shop/support: 2.0.0 was rolled back from 5% (CheckFailed)",
        "reason": "CheckFailed",
        "message": "success: succeeded 88.1% of 260 sessions against 97.4%",
        "candidate": {"version": "2.0.0", "digest": "sha256:" + "b" * 64},
        "stable": {"version": "1.0.0", "digest": "sha256:" + "a" * 64},
        "share": {"before": 5.0, "after": 0.0},
        "changedParts": ["model", "prompts"],
        "changes": ["! tools: refund: new"],
        "diff": '-Be brief.\n+Be "kind".\n',
        "findings": [],
        "rationale": "",
        "commands": [
            "kubectl agentrollout status support -n shop",
            "kubectl agentrollout diff support-1.0.0 support-2.0.0 -n shop",
            "kubectl agentrollout history support -n shop",
            "kubectl agentrollout retry support -n shop",
        ],
    }
    assert document(notice(changed=None))["changedParts"] is None


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of the specification's own libraries.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_can_check_it() -> None:
    letter = compose(notice(), SPEC, Destination(HERE, key=b"k" * 32), now=1_767_603_600)
    signed = b".".join((b"u-1.3.RolledBack", b"1767603600", letter.body))
    mac = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert letter.headers == {
        "content-type": "application/json",
        "webhook-id": "u-1.3.RolledBack",
        "webhook-timestamp": "1767603600",
        "webhook-signature": f"v1,{mac}",
    }
    assert json.loads(letter.body) == document(notice())


def test_the_same_notice_has_the_same_body_and_id_whenever_it_is_sent() -> None:
    first, second = (compose(notice(), SPEC, Destination(HERE), now=now) for now in (1, 2))
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert "webhook-signature" not in first.headers


def destinations(folder: Path, **entries: str) -> Destinations:
    for name, text in entries.items():
        (folder / name.replace("__", ".").replace("_", "-")).write_text(text)
    return Destinations(folder)


def test_a_destination_with_all_it_may_have(tmp_path: Path) -> None:
    found = destinations(
        tmp_path,
        oncall="https://hooks.example/t0ken\n",
        oncall__signing_key="whsec_" + base64.b64encode(b"k" * 32).decode() + "\n",
        oncall__authorization="Bearer t0ken\n",
    ).find("oncall", namespace="shop")
    assert (str(found.url), found.key) == ("https://hooks.example/t0ken", b"k" * 32)
    letter = compose(notice(), SPEC, found, now=1)
    assert letter.headers["authorization"] == "Bearer t0ken"
    assert "webhook-signature" in letter.headers
    assert "k" * 32 not in repr(found)
    assert "Bearer" not in repr(found)


@pytest.mark.parametrize(
    "key", ["k" * 32, "whsec_", "whsec_short", "whsec_" + "=" * 40, "whsec_" + "A" * 100]
)
def test_a_key_that_is_none_is_refused_without_showing_it(tmp_path: Path, key: str) -> None:
    found = destinations(tmp_path, oncall="https://hooks.example/", oncall__signing_key=key)
    with pytest.raises(DestinationError, match=r"oncall\.signing-key: expected whsec_ and 24 to 64") as error:
        found.find("oncall", namespace="shop")
    assert key not in str(error.value).replace("whsec_$(", "") or key == "whsec_"


def test_a_header_that_would_be_two_is_refused(tmp_path: Path) -> None:
    found = destinations(tmp_path, oncall="https://hooks.example/", oncall__authorization="a\r\nx: b")
    with pytest.raises(DestinationError, match="one line of printable ASCII"):
        found.find("oncall", namespace="shop")


@pytest.mark.parametrize("name", ["..", "../secret", "oncall.signing-key", "/etc/passwd", ""])
def test_only_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("https://hooks.example/")
    folder = tmp_path / "mounted"
    folder.mkdir()
    found = destinations(
        folder, oncall="https://hooks.example/", oncall__signing_key="https://hooks.example/"
    )
    with pytest.raises(DestinationError, match="there is no destination"):
        found.find(name, namespace="shop")


def test_who_names_another_is_told_what_there_is_for_them(tmp_path: Path) -> None:
    found = destinations(
        tmp_path, oncall="https://a/", team_b="https://b/", oncall__namespaces="desk", empty=""
    )
    with pytest.raises(DestinationError, match=r"no destination pager; the operator's Secret has team-b$"):
        found.find("pager", namespace="shop")


def test_without_a_secret_nothing_leaves_the_cluster() -> None:
    with pytest.raises(DestinationError, match=r"set notifiers\.secretName"):
        Destinations().find("oncall", namespace="shop")
