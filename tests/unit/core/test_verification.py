"""What a Rollout asks to be vouched for, and what happens to a version for which nobody does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agentrollouts.api.verification import Verify
from agentrollouts.core.decision import Hold, Rollback, SetManually
from agentrollouts.core.evidence import Unavailable
from agentrollouts.core.snapshot import Requests, Snapshot
from agentrollouts.core.verification import Statements, Vouched, missing
from tests.builders import candidate_share, climbing, good, installed, later, look, snapshot, spec, step

PEM = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
CLAIMS = ("build", "eval", "replay", "approval")
BUILT = (Vouched("build", "ci"),)


def verify(*require: str, **keys: tuple[str, ...]) -> Verify:
    listed = [{"name": name, "publicKey": PEM, "claims": claims} for name, claims in keys.items()]
    return Verify.model_validate(
        {"keys": listed or [{"name": "ci", "publicKey": PEM}], "require": require or ("build",)}
    )


def signed(s: Snapshot, version: str, vouched: Statements) -> Snapshot:
    return replace(s, versions={**s.versions, version: replace(s.versions[version], vouched=vouched)})


POLICY: dict[str, Any] = {"release": {"verify": {"keys": [{"name": "ci", "publicKey": PEM}]}}}


def test_nothing_is_asked_for_unless_the_spec_does() -> None:
    assert missing(None, (), "2.0.0") == ""
    assert spec("2.0.0").release.verify is None


@pytest.mark.parametrize(
    ("asked", "vouched", "words"),
    [
        (verify(), (), "build by ci"),
        (verify(), (Vouched("eval", "ci"),), "build by ci"),
        (verify(), (Vouched("build", "stranger"),), "build by ci"),
        (verify("build", "eval"), BUILT, "eval by ci"),
        (verify("build", "eval", ci=("build",), evals=("eval",)), (), "build by ci; eval by evals"),
        (
            verify("build", "eval", ci=("build",), evals=("eval",)),
            (*BUILT, Vouched("eval", "ci")),
            "eval by evals",
        ),
        (verify("build", a=(), b=("build",)), (), "build by a or b"),
        (verify(), Unavailable("signing needs the extra"), "can't be checked: signing needs the extra"),
    ],
)
def test_what_is_missing_is_named(asked: Verify, vouched: Statements, words: str) -> None:
    said = missing(asked, vouched, "2.0.0")
    assert said.startswith("2.0.0 isn't started: ")
    assert said.endswith(words)


@given(st.sets(st.sampled_from(CLAIMS), min_size=1), st.sets(st.sampled_from(CLAIMS)))
def test_a_version_may_start_exactly_when_every_claim_is_there(require: set[str], there: set[str]) -> None:
    vouched = tuple(Vouched(claim, "ci") for claim in sorted(there))
    assert (missing(verify(*sorted(require)), vouched, "2.0.0") == "") == (require <= there)


@pytest.mark.parametrize(
    "key", [PEM.replace("PUBLIC", "PRIVATE"), PEM.replace("MCow", "MIow"), "", "x" * 200]
)
def test_what_is_no_ed25519_public_key_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        Verify.model_validate({"keys": [{"name": "ci", "publicKey": key}]})


def test_an_unsigned_version_never_starts_and_a_signed_one_does() -> None:
    s = replace(installed(), spec=spec("2.0.0", **POLICY))
    decision, _ = look(s)
    assert isinstance(decision, Hold)
    assert (decision.reason, decision.stalled) == ("Unverified", True)
    s = step(s)
    assert s.status.candidate is None
    assert (s.status.phase, s.status.stable.version) == ("Degraded", "1.0.0")
    s = step(signed(later(s, seconds=1), "2.0.0", BUILT))
    assert s.status.candidate.version == "2.0.0"


def test_the_first_version_needs_a_signature_too() -> None:
    s = snapshot(spec=spec("1.0.0", **POLICY))
    assert look(s)[0].reason == "Unverified"
    assert look(signed(s, "1.0.0", BUILT))[0].reason == "FirstVersion"


def test_a_new_demand_does_not_stop_what_serves() -> None:
    decision, _ = look(step(installed(), spec=spec("1.0.0", **POLICY)))
    assert decision.reason == "Serving"


def test_a_candidate_whose_statement_is_withdrawn_keeps_its_share_and_does_not_grow() -> None:
    s = replace(climbing(), spec=spec("2.0.0", **POLICY))
    s = later(s, hours=2)
    s = step(s, evidence=good(500, s.now))
    assert (candidate_share(s), s.status.decision.reason) == (500, "Unverified")
    assert candidate_share(step(signed(later(s, seconds=1), "2.0.0", BUILT))) > 500


def test_an_unsigned_candidate_can_still_be_taken_out() -> None:
    s = replace(climbing(), spec=spec("2.0.0", **POLICY))
    assert isinstance(look(replace(s, requests=Requests(abort="now")))[0], Rollback)


def test_an_unsigned_version_does_not_push_a_candidate_aside() -> None:
    s = replace(climbing(), spec=spec("1.5.0", **POLICY))
    other = replace(s.versions["2.0.0"], version="1.5.0", digest=f"sha256:{'c' * 64}")
    s = replace(s, versions={**s.versions, "1.5.0": other})
    s = step(s)
    assert (s.status.candidate.version, s.status.decision.reason) == ("2.0.0", "Unverified")


def test_shares_by_hand_need_signatures() -> None:
    manual = {
        "strategy": {
            "manual": {"shares": [{"version": "1.0.0", "share": 95}, {"version": "2.0.0", "share": 5}]}
        }
    }
    s = replace(installed(), spec=spec("1.0.0", **manual, **POLICY))
    assert look(s)[0].reason == "Unverified"
    assert isinstance(look(signed(s, "2.0.0", BUILT))[0], SetManually)
