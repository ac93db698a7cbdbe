"""Every rule and every bound worth it, held against a real API server: what it accepts, what it refuses, in which words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.integration.api import MERGE, Api, RefusedError, definitions
from tests.integration.crds.examples import BASES, changed, place_in
from tests.integration.crds.refusals import BOUNDS, PAIRS, SCALARS, UPDATES, Pair, rules_of

RULES = [
    (body["spec"]["names"]["kind"], path, message)
    for body in definitions()
    for path, message in rules_of(body)
]
PLACES = [(kind, path, message) for kind, path, message in RULES if message in SCALARS]


def base_with(kind: str, path: str) -> tuple[str, str] | None:
    """A base that has a value there, and where exactly."""
    bases = ((name, place_in(body, path)) for name, body in BASES.items() if body["kind"] == kind)
    return next(((name, place) for name, place in bases if place is not None), None)


def refusal(admin: Api, body: Mapping[str, Any]) -> str:
    """The words with which the server refuses an object."""
    with pytest.raises(RefusedError) as refused:
        admin.create(dict(body), dry_run=True)
    return str(refused.value)


@pytest.mark.parametrize("base", BASES)
def test_the_bases_are_good(admin: Api, base: str) -> None:
    assert admin.create(changed(base, {}), dry_run=True)["spec"]


def test_every_rule_has_an_accepting_and_a_refusing_example() -> None:
    shown = {(BASES[pair.base]["kind"], pair.message) for pair in (*PAIRS, *UPDATES)}
    untested = [rule for rule in RULES if rule[2] not in SCALARS and (rule[0], rule[2]) not in shown]
    without_base = [place for place in PLACES if base_with(place[0], place[1]) is None]
    gone = shown - {(kind, message) for kind, _, message in RULES}
    assert (untested, without_base, gone) == ([], [], set())


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_rule(admin: Api, pair: Pair) -> None:
    assert admin.create(changed(pair.base, pair.good), dry_run=True)
    assert pair.message in refusal(admin, changed(pair.base, pair.bad))


@pytest.mark.parametrize(("kind", "path", "message"), PLACES, ids=lambda value: str(value)[:60])
def test_a_value(admin: Api, kind: str, path: str, message: str) -> None:
    found = base_with(kind, path)
    assert found is not None
    base, place = found
    for bad in SCALARS[message]:
        answer = refusal(admin, changed(base, {place: bad}))
        # Too short or too long is told before any rule runs, in words of the server's own.
        assert message in answer or (bad == "" and "should be at least" in answer), f"{bad!r}: {answer}"


@pytest.mark.parametrize(("base", "changes", "words"), BOUNDS)
def test_a_bound(admin: Api, base: str, changes: Mapping[str, Any], words: str) -> None:
    assert words in refusal(admin, changed(base, changes))


@pytest.mark.parametrize("pair", UPDATES, ids=str)
def test_a_rule_on_changes(admin: Api, namespace: str, pair: Pair) -> None:
    place: Mapping[str, Any] = {"metadata.namespace": namespace}
    body = admin.create(changed(pair.base, place))
    good = admin.request("PUT", _path(body), _update(body, changed(pair.base, {**place, **pair.good})))
    with pytest.raises(RefusedError, match="is invalid") as refused:
        admin.request("PUT", _path(body), _update(good, changed(pair.base, {**place, **pair.bad})))
    assert pair.message in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        {"lineage": {"rationale": "another story"}},
        {"lineage": {"proposedBy": None}},
        {"release": {"code": {"image": "other"}}},
        {"release": {"model": {"parameters": {"temperature": "0.3"}}}},
        {"release": {"model": {"parameters": {"temperature": None, "seed": "0.2"}}}},
        {"template": {"spec": {"nodeSelector": None, "hostNetwork": True}}},
        {"template": {"spec": {"nodeSelector": {"disk": None, "cpu": "fast"}}}},
        {"template": {"metadata": {"labels": None, "annotations": {"team": "support"}}}},
        {"template": {"metadata": None}},
        {"template": None, "deploymentRef": {"name": "mine"}},
    ],
)
def test_nothing_of_a_version_but_replicas_changes(
    admin: Api, namespace: str, change: Mapping[str, Any]
) -> None:
    body = admin.create(changed("version", {"metadata.namespace": namespace}))
    with pytest.raises(RefusedError, match=r"immutable but for spec\.replicas"):
        admin.patch(body, {"spec": {"replicas": 2, **change}}, content_type=MERGE)


def _path(body: Mapping[str, Any]) -> str:
    plural = f"{body['kind'].lower()}s"
    return f"/apis/agentrollouts.io/v1alpha1/namespaces/{body['metadata']['namespace']}/{plural}/{body['metadata']['name']}"


def _update(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {**new["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}
    return {**new, "metadata": metadata}
