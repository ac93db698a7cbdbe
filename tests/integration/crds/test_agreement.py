"""The API server and the models agree: what the server stores, the models read, and they mean the same by it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agentrollouts.api.base import SpecModel
from agentrollouts.api.kinds import KINDS
from tests.integration.api import Api, RefusedError
from tests.integration.crds.examples import BASES, changed

SPECS: dict[str, type[SpecModel]] = {kind.kind: kind.spec for kind in KINDS}

percents = st.one_of(
    st.integers(-1, 101),
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3})?%?", fullmatch=True),
    st.sampled_from(["5%\n", " 5%", "٥%", True, 0.5, ""]),
)
durations = st.one_of(
    st.from_regex(r"([0-9]{1,3}h)?([0-9]{1,3}m)?([0-9]{1,3}s)?", fullmatch=True),
    st.sampled_from(["15m\n", "1d", "s", "٥m", 15, "h1m"]),
)
growths = st.one_of(
    st.integers(-1, 1001), st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3})?%?", fullmatch=True), percents
)
names = st.sampled_from(["uid", "x-user-id", "x user", "x\n", ""])
checks = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "1"])},
    optional={
        "dryRun": st.booleans(),
        "successRate": st.fixed_dictionaries({}, optional={"maxDrop": percents}),
        "cost": st.fixed_dictionaries({}, optional={"maxIncrease": growths}),
        "latency": st.fixed_dictionaries({}, optional={"slowerThan": durations}),
    },
)
specs = st.fixed_dictionaries(
    {"agent": st.just("support"), "version": st.sampled_from(["1.0.0", "1.0", "1.0.0-rc1", "1.0.0\n"])},
    optional={
        "paused": st.booleans(),
        "control": st.fixed_dictionaries({}, optional={"maxShare": percents}),
        "assignment": st.fixed_dictionaries({}, optional={"header": names, "cookieTtl": durations}),
        "approval": st.fixed_dictionaries({}, optional={"above": percents, "quorum": st.integers(0, 6)}),
        "strategy": st.fixed_dictionaries(
            {},
            optional={
                "steps": st.lists(
                    st.fixed_dictionaries({"share": percents}, optional={"soak": durations}), max_size=3
                )
            },
        ),
        "analysis": st.fixed_dictionaries(
            {}, optional={"checks": st.lists(checks, max_size=2), "window": durations}
        ),
    },
)


@pytest.mark.parametrize("base", BASES)
def test_the_models_read_what_the_server_stores(admin: Api, base: str) -> None:
    body = changed(base, {})
    stored = admin.create(body, dry_run=True)
    model = SPECS[body["kind"]]
    assert model.model_validate(stored["spec"]) == model.model_validate(body["spec"])


@pytest.mark.parametrize("base", BASES)
def test_the_server_stores_what_the_models_write(admin: Api, base: str) -> None:
    body = changed(base, {})
    model = SPECS[body["kind"]]
    spec = model.model_validate(body["spec"])
    written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    stored = admin.create(body | {"spec": written}, dry_run=True)
    assert model.model_validate(stored["spec"]) == spec


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(spec=specs)
def test_what_the_server_accepts_the_models_accept_and_mean_alike(admin: Api, spec: dict[str, Any]) -> None:
    model = SPECS["Rollout"]
    try:
        stored = admin.create(changed("rollout", {"spec": spec}), dry_run=True)
    except RefusedError:
        return
    try:
        assert model.model_validate(stored["spec"]) == model.model_validate(spec)
    except ValidationError as error:
        pytest.fail(f"the server accepts {spec} and the models don't: {error}")
