"""Who asked for a version: written on the Rollout by the server, forged by nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.admission.test_stamping import answers, refusal
from tests.integration.api import Api, Object, RefusedError, path_of
from tests.integration.crds.examples import changed

pytestmark = pytest.mark.usefixtures("stamping")


@pytest.fixture
def rollout(admin: Api, home: str) -> Iterator[Object]:
    """A Rollout that alice made."""
    body = admin.as_user("alice").create(changed("rollout", {"metadata.namespace": home}))
    yield body
    admin.delete(body)


def test_whoever_makes_a_rollout_asked_for_its_version(rollout: Object) -> None:
    assert answers(rollout) == {"requested-by": "alice"}


def test_whoever_changes_the_version_asked_for_it(admin: Api, rollout: Object) -> None:
    after = admin.as_user("bob").patch(rollout, {"spec": {"version": "2.0.0"}})
    assert answers(after) == {"requested-by": "bob"}


def test_other_changes_leave_the_name(admin: Api, rollout: Object) -> None:
    after = admin.as_user("bob").patch(rollout, {"spec": {"paused": True}})
    assert answers(after) == {"requested-by": "alice"}
    assert answers(admin.as_user("bob").annotate(after, abort="now"))["requested-by"] == "alice"


@pytest.mark.parametrize("name", ["bob", "dave"])
def test_the_name_is_not_changed_alone(admin: Api, rollout: Object, name: str) -> None:
    assert "changes only together with it" in refusal(admin.as_user("bob"), rollout, requested_by=name)


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_dropped_name_comes_back(admin: Api, rollout: Object, nothing: str | None) -> None:
    assert answers(admin.as_user("bob").annotate(rollout, requested_by=nothing)) == {"requested-by": "alice"}


def test_a_replaced_rollout_keeps_the_name(admin: Api, rollout: Object) -> None:
    bare = changed("rollout", {"metadata.namespace": rollout["metadata"]["namespace"], "spec.paused": True})
    bare["metadata"]["resourceVersion"] = rollout["metadata"]["resourceVersion"]
    after = admin.as_user("bob").request("PUT", path_of(rollout), bare)
    assert (answers(after), after["spec"]["paused"]) == ({"requested-by": "alice"}, True)


def test_a_forged_name_is_overwritten(admin: Api, rollout: Object) -> None:
    change = {
        "metadata": {"annotations": {"agentrollouts.io/requested-by": "carol"}},
        "spec": {"version": "2.0.0"},
    }
    assert answers(admin.as_user("bob").patch(rollout, change)) == {"requested-by": "bob"}


def test_the_operators_status_writes_leave_the_name(admin: Api, rollout: Object) -> None:
    after = admin.as_user("operator").patch(rollout, {"status": {"phase": "Healthy"}}, subresource="status")
    assert answers(after) == {"requested-by": "alice"}


def test_without_the_right_to_edit_nobody_asks(admin: Api, rollout: Object) -> None:
    with pytest.raises(RefusedError, match="cannot patch"):
        admin.as_user("carol").patch(rollout, {"spec": {"version": "2.0.0"}})
