"""Two agents released together: whoever meets the candidate of one meets the candidate of the other."""

from __future__ import annotations

import copy
import json
from collections import Counter
from typing import Any

from hack.demo import manifests
from tests.e2e.conftest import MakeSpace
from tests.e2e.space import ANALYSIS, Space, poll

DESK = "desk"
USERS = 200
CALL = f"""
import json, urllib.request
for number in range({USERS}):
    request = urllib.request.Request("http://{DESK}/v1/tasks", data=b'{{"text": "How may I pay?"}}')
    request.add_header("x-user-id", f"user-{{number}}")
    with urllib.request.urlopen(request, timeout=30) as answer:
        print(json.dumps({{"cohort": answer.headers["x-agent-cohort"], **json.load(answer)}}))
"""
GROUP: dict[str, Any] = {"header": "x-user-id", "group": "shop"}


def _steps(share: str) -> dict[str, Any]:
    return {"steps": [{"share": share, "soak": "10m"}]}


def _front_desk(semver: str) -> dict[str, Any]:
    """The sample agent as the front desk of the other one, which it calls by its logical name."""
    made = copy.deepcopy(manifests.version(semver, replicas=1))
    made["metadata"]["name"] = f"{DESK}-{semver}"
    made["spec"]["agent"] = DESK
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["env"].append({"name": "SUPPORT_COLLEAGUE_URL", "value": f"http://{manifests.AGENT}"})
    return made


def _desk_rollout(semver: str) -> dict[str, Any]:
    made = manifests.rollout(semver, strategy=_steps("50%"), analysis=ANALYSIS, assignment=GROUP)
    made["metadata"]["name"] = made["spec"]["agent"] = DESK
    return made


def _share(space: Space, agent: str) -> int:
    status = (space.kubectl.get("rollout", agent) or {}).get("status") or {}
    return int((status.get("candidate") or {}).get("share") or 0)


def _calls(space: Space) -> list[dict[str, str]]:
    """Every user asks the front desk once."""
    pod = manifests.users(rate=1, seconds=1)
    pod["metadata"] = {"name": "callers"}
    container = pod["spec"]["containers"][0]
    del container["readinessProbe"], container["ports"]
    space.kubectl.apply(
        pod
        | {
            "spec": pod["spec"]
            | {"containers": [container | {"command": ["python", "-c", CALL], "args": []}]}
        }
    )
    phase = poll(
        lambda: (space.kubectl.get("pod", "callers") or {})["status"]["phase"],
        lambda seen: seen in ("Succeeded", "Failed"),
        name="all users have called",
        seconds=120,
    )
    log = space.kubectl.run("logs", "callers")
    assert phase == "Succeeded", log
    return [json.loads(line) for line in log.splitlines()]


def test_a_user_is_on_one_side_in_every_agent_of_a_group(make_space: MakeSpace) -> None:
    space = make_space("e2e-group")
    space.first(strategy=_steps("10%"), assignment=GROUP)
    space.kubectl.apply(_front_desk("1.0.0"), _front_desk("2.0.0"), _desk_rollout("1.0.0"))
    poll(
        lambda: (space.kubectl.get("rollout", DESK) or {}).get("status", {}).get("phase"),
        lambda phase: phase == "Healthy",
        name="the front desk serves",
        seconds=90,
    )
    space.propose("2.0.0")
    space.kubectl.patch("rollout", DESK, {"spec": {"version": "2.0.0"}})
    poll(lambda: _share(space, manifests.AGENT), lambda n: n == 1_000, name="the agent's 10%", seconds=60)
    poll(lambda: _share(space, DESK), lambda n: n == 5_000, name="the front desk's 50%", seconds=60)

    calls = _calls(space)
    assert len(calls) == USERS
    sides = Counter((c["cohort"], c["version"], c["colleague_cohort"], c["colleague_version"]) for c in calls)
    assert set(sides) == {
        ("candidate", "2.0.0", "candidate", "2.0.0"),
        ("stable", "1.0.0", "stable", "1.0.0"),
        ("control", "1.0.0", "control", "1.0.0"),
    }
    # A tenth of them by the agent's own share; half of them because they come from the front desk's candidate.
    assert sides["candidate", "2.0.0", "candidate", "2.0.0"] > USERS / 3
