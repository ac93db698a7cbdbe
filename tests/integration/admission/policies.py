"""The chart's admission policies as they are installed, and the people of the tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import yaml

from tests.integration.api import REPOSITORY, Api, Object, RefusedError, wait_until
from tests.integration.crds.examples import changed

FOLDER = REPOSITORY / "charts" / "agent-rollouts" / "files" / "admission"
GROUP = "agentrollouts.io"


def documents(file: str) -> Sequence[Object]:
    """The policies of one file, as Helm would render them for a release named ``test``."""
    text = (FOLDER / file).read_text().replace("{{ .Release.Name }}", "test")
    assert "{{" not in text, (
        "only the release's name may be a template, or these tests would load something else"
    )
    return list(yaml.safe_load_all(text))


@contextmanager
def installed(admin: Api, namespace: str, *files: str) -> Iterator[None]:
    """The policies of these files, enforced; afterwards forgotten. The server learns of both a moment later."""
    try:
        for file in files:
            for body in documents(file):
                admin.apply(body, manager="test")
        wanted = (True, "mutating.yaml" in files, True)
        wait_until("the policies to be enforced", lambda: _in_force(admin, namespace) == wanted)
        yield
    finally:
        for file in files:
            for body in documents(file):
                admin.delete(body)
        wait_until("the policies to be gone", lambda: _in_force(admin, namespace) == (False, False, False))


def _in_force(admin: Api, namespace: str) -> tuple[bool, bool, bool]:
    """Whether gates are guarded, names are stamped on Rollouts, and names on Rollouts are guarded."""
    try:
        stamped = admin.create(_annotated("rollout", namespace), dry_run=True)["metadata"]["annotations"]
    except RefusedError as error:
        # A mutating policy needs the schema of a new kind, which the server reads some seconds after it serves the kind.
        if "There can be a delay" not in str(error):
            raise
        return False, False, False
    gate = _annotated("gate", namespace, approve="true")
    forged = _annotated("rollout", namespace, **{"requested-by": "nobody"})
    stamps = f"{GROUP}/requested-by" in stamped
    return _refused(admin, gate), stamps, stamps or _refused(admin, forged)


def _annotated(base: str, namespace: str, **annotations: str) -> Object:
    body = changed(base, {"metadata.namespace": namespace, "metadata.name": "support"})
    body["metadata"]["annotations"] = {"probe": "yes"} | {
        f"{GROUP}/{key}": value for key, value in annotations.items()
    }
    return body


def _refused(api: Api, body: Object) -> bool:
    try:
        api.create(body, dry_run=True)
    except RefusedError:
        return True
    return False


def allow(admin: Api, namespace: str, name: str, rules: Sequence[Object], *subjects: str) -> None:
    """A Role and its binding; subjects are user names, or ``group:NAME``."""
    metadata = {"name": name, "namespace": namespace}
    api = "rbac.authorization.k8s.io"
    admin.create({"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": rules})
    admin.create(
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
            "subjects": [
                {"apiGroup": api, "kind": "Group", "name": subject.removeprefix("group:")}
                if subject.startswith("group:")
                else {"apiGroup": api, "kind": "User", "name": subject}
                for subject in subjects
            ],
        }
    )


def rule(resources: Sequence[str], verbs: Sequence[str], *names: str) -> Object:
    """An RBAC rule on our resources."""
    return {"apiGroups": [GROUP], "resources": resources, "verbs": verbs} | (
        {"resourceNames": names} if names else {}
    )
