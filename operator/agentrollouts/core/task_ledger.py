"""How a version's pods are told where the task ledger is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VOLUME, FOLDER, ENTRY = "agent-rollouts-ledger", "/var/run/agent-rollouts-ledger", "agent"
URL, TOKEN_FILE = "AGENT_LEDGER_URL", "AGENT_LEDGER_TOKEN_FILE"


@dataclass(frozen=True, slots=True)
class TaskLedger:
    """Where version pods post finished tasks, and the Secret beside each agent whose entry ``agent`` is the token.

    No Secret reaches another namespace, so whoever owns an agent's namespace puts it there. Without one the pods run all the same.
    """

    url: str
    secret: str


def posting(item: Mapping[str, Any], ledger: TaskLedger) -> dict[str, Any]:
    """The container with the ledger's address and token, unless the user has named an address, which may be empty.

    The token goes with our address only: it is nobody else's business.
    """
    env, mounts = item["env"], item["volumeMounts"]
    theirs = {variable.get("name") for variable in env}
    if URL in theirs:
        return dict(item)
    ours = [{"name": URL, "value": ledger.url}]
    if ledger.secret and TOKEN_FILE not in theirs:
        ours.append({"name": TOKEN_FILE, "value": f"{FOLDER}/{ENTRY}"})
        if all(mount.get("mountPath") != FOLDER for mount in mounts):
            mounts = [*mounts, {"name": VOLUME, "mountPath": FOLDER, "readOnly": True}]
    return {**item, "env": [*ours, *env], "volumeMounts": mounts}


def with_token(volumes: Sequence[Mapping[str, Any]], ledger: TaskLedger) -> list[Mapping[str, Any]]:
    """The volumes and that of the token: optional, and only the one entry.

    So a pod starts without the Secret, and never sees another role's token.
    """
    if not ledger.secret:
        return list(volumes)
    secret = {"secretName": ledger.secret, "items": [{"key": ENTRY, "path": ENTRY}], "optional": True}
    others = [volume for volume in volumes if volume.get("name") != VOLUME]
    return [*others, {"name": VOLUME, "secret": secret}]
