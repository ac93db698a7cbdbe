"""`attestation`: an API server with a Rollout, the Job that proved it, and what its pod said; Job and log made by our own code."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentrollouts.api.before_traffic import ProofSpec
from agentrollouts.api.verification import Verify
from agentrollouts.core.manifests import Named as Identity
from agentrollouts.core.proof_jobs import proof_job
from agentrollouts.core.proof_subject import Subject
from agentrollouts.core.verification import Vouched
from agentrollouts.release.attestation import Named, sign, statement
from agentrollouts.release.canonical import sha256
from agentrollouts.runtime import statements
from tests.builders import version
from tests.keys import private, public
from tests.unit.cli.runs import refused, run
from tests.unit.cli.scenes import CANDIDATE, NEW, OLD, STABLE, rollout

KEY = Ed25519PrivateKey.generate()
JOB, POD, UID = "support-golden-0123456789", "support-golden-0123456789-x", "u-job"
ROLLOUTS = "/apis/agentrollouts.io/v1alpha1/namespaces/shop/rollouts"
JOBS, PODS = "/apis/batch/v1/namespaces/shop/jobs", "/api/v1/namespaces/shop/pods"
ENTRY = {
    "name": "golden",
    "eval": {"dataset": {"configMap": "evals", "key": "golden.yaml"}, "minimumScore": "80%"},
}
Objects = dict[str, Any]


def said(digest: str = NEW) -> bytes:
    return statement(Named("support-2.0.0", digest), "eval", {"verdict": "PASS"})


def log(what: bytes, *, signed: bool = True) -> str:
    """What a Job's pod says: lines for people, and one of JSON."""
    document = {"answer": "one\u2028two\x85", "statement": what.decode()}
    if signed:
        document["envelope"] = sign(what, private(KEY)).decode()
    return f"Eval score: 0.9000\n{{no json\n{json.dumps(document, ensure_ascii=False)}\nPASS: Eval score\n"


def proof(**fields: Any) -> Objects:
    known = {"statementDigest": sha256(said()), "verdict": "PASS", "job": JOB}
    return {"name": "golden", "kind": "eval", "terms": "1", **known, **fields}


def have(objects: Objects, *proofs: Objects, what: bytes = b"") -> None:
    """The candidate is 2.0.0 with these proofs; without any, it is stable."""
    status: Objects = (
        {"stable": STABLE, "candidate": {**CANDIDATE, "proofs": list(proofs)}}
        if proofs
        else {"stable": {**STABLE, "version": "2.0.0", "digest": NEW}}
    )
    body = rollout(status, beforeTraffic=[ENTRY])
    body["metadata"]["uid"] = "u-1"
    subject = Subject(
        Identity("shop", "support", "u-1"), "support", version("2.0.0", "b"), NEW, 1, version("1.0.0", "a")
    )
    job = proof_job(JOB, ProofSpec.model_validate(ENTRY), subject, image="cli:1")
    job["metadata"] |= {"uid": UID, "creationTimestamp": "2026-01-05T11:00:00Z"}
    labels = {"batch.kubernetes.io/controller-uid": UID}
    fell_over, last = (
        {"metadata": {"name": name, "labels": labels, "creationTimestamp": at}}
        for name, at in ((f"{POD}0", "2026-01-05T11:00:00Z"), (POD, "2026-01-05T11:01:00Z"))
    )
    strangers = {"metadata": {"name": "y", "labels": {}, "creationTimestamp": "2026-01-05T11:02:00Z"}}
    objects |= {
        f"{ROLLOUTS}/support": body,
        JOBS: {"items": [job]},
        f"{JOBS}/{JOB}": job,
        PODS: {"items": [last, fell_over, strangers]},
        f"{PODS}/{POD}/log": log(what or said()),
    }


def accepted(configmap: Objects) -> object:
    """What the operator of another cluster makes of it."""
    verify = Verify.model_validate(
        {"keys": [{"name": "staging", "publicKey": public(KEY).decode()}], "require": ["eval"]}
    )
    return statements.vouched([statements.statement(configmap)], Named("support-2.0.0", NEW), verify)


@pytest.mark.parametrize("proofs", [(proof(),), ()], ids=["candidate", "stable"])
def test_a_configmap_of_it_is_what_an_operator_elsewhere_asks_for(
    objects: Objects, proofs: tuple[Objects, ...]
) -> None:
    have(objects, *proofs)
    found = run("attestation", "support", "golden", "--configmap")
    assert found.exception is None, found.output
    configmap = yaml.safe_load(found.stdout)
    assert accepted(configmap) == (Vouched("eval", "staging"),)
    assert (
        json.loads(run("attestation", "support", "golden", "--configmap", "-o", "json").stdout) == configmap
    )
    told = "the same digest" if proofs else "no digest to hold it against"
    assert f"eval of support-2.0.0 {NEW}, signed by " in found.stderr
    assert told in found.stderr


def test_the_envelope_is_printed_byte_for_byte(objects: Objects) -> None:
    have(objects, proof())
    assert run("attestation", "support", "golden").stdout == sign(said(), private(KEY)).decode() + "\n"


@pytest.mark.parametrize(
    ("proofs", "words"),
    [
        ((proof(verdict="PENDING"),), f"golden of 2.0.0 has no verdict yet: Job {JOB} runs"),
        ((proof(verdict="INVALID", message="no key"),), "came to INVALID, and only a PASS is signed: no key"),
        ((proof(name="other"),), "golden of 2.0.0 hasn't begun yet"),
        ((proof(statementDigest=OLD),), f"expected the statement {OLD}, by which the status has the verdict"),
    ],
)
def test_what_the_status_says_against_it(objects: Objects, proofs: tuple[Objects, ...], words: str) -> None:
    have(objects, *proofs)
    assert words in str(refused("attestation", "support", "golden"))


def test_another_entry_and_a_rollout_without_any_are_named(objects: Objects) -> None:
    have(objects, proof())
    assert "no entry gold in spec.beforeTraffic; it has golden" in str(
        refused("attestation", "support", "gold")
    )
    del objects[f"{ROLLOUTS}/support"]["spec"]["beforeTraffic"]
    assert "it has none" in str(refused("attestation", "support", "golden"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found.pop(f"{JOBS}/{JOB}"), f"Job {JOB} is gone, and its log with it"),
        (lambda found: found[PODS].update(items=[]), f"Job {JOB} has no pod any more"),
        (lambda found: found.pop(f"{PODS}/{POD}/log"), f"pod {POD} is gone, and its log with it"),
        (lambda found: found.update({f"{PODS}/{POD}/log": "Eval score: 0.9\n"}), "no line of JSON with a"),
        (lambda found: found.update({f"{PODS}/{POD}/log": log(said(), signed=False)}), "nothing was signed"),
        (
            lambda found: found.update({f"{PODS}/{POD}/log": log(said(OLD))}),
            f"expected a statement about support-2.0.0 {NEW}",
        ),
    ],
    ids=["Job", "pod", "log", "JSON", "signature", "another artifact"],
)
def test_what_is_gone_is_said(objects: Objects, change: Any, words: str) -> None:
    have(objects, proof())
    change(objects)
    assert words in str(refused("attestation", "support", "golden"))


def test_a_log_that_was_written_by_somebody_else_is_not_handed_on(objects: Objects) -> None:
    have(
        objects,
        proof(),
        what=statement(Named("support-2.0.0", NEW), "eval", {"verdict": "PASS", "score": "1"}),
    )
    error = refused("attestation", "support", "golden", "--configmap")
    assert f"expected the statement {sha256(said())}" in str(error)


@pytest.mark.parametrize(
    "change",
    [
        lambda job: job["metadata"]["annotations"].update({"agentrollouts.io/artifact-digest": OLD}),
        lambda job: job["metadata"]["ownerReferences"][0].update(uid="u-2"),
        lambda job: job["metadata"]["labels"].update({"agentrollouts.io/proof": "other"}),
        lambda job: job["metadata"]["labels"].update({"agentrollouts.io/rollout": "other"}),
    ],
    ids=["artifact", "Rollout", "entry", "name"],
)
def test_a_stable_versions_job_is_its_own(objects: Objects, change: Any) -> None:
    have(objects)
    change(objects[JOBS]["items"][0])
    error = refused("attestation", "support", "golden")
    assert f"there is no Job of golden about 2.0.0 ({NEW}): a Job and its log are kept for a day" in str(
        error
    )
