"""What goes wrong at the command line, as sentences: what was expected, what was seen, what to do."""

from __future__ import annotations

import re

from agentrollouts.ports import ConflictError, GoneError, TerminalError, TransientError

_DENIED = re.compile(
    r"ValidatingAdmissionPolicy '[^']*' with binding '[^']*' denied request: (?P<why>.*)", re.DOTALL
)
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)"| (?P<cluster>at the cluster scope))?'
)
_PREFIX = re.compile(r"^[A-Z]+ /\S*: (\d{3} )?")


class CommandError(Exception):
    """A sentence for the user, and the exit status to end with. ``passing``: asking again later may help."""

    def __init__(self, sentence: str, *, status: int = 1, passing: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.passing = passing


def error_about(error: Exception) -> CommandError:
    """The sentence for a failure of a request to the API server."""
    text = _PREFIX.sub("", str(error)).strip().rstrip(".")
    match error:
        case CommandError():
            return error
        case TerminalError():
            return CommandError(_refused(text))
        case ConflictError():
            return CommandError(
                f"somebody else changed the object at the same moment ({text}); try again", passing=True
            )
        case TransientError():
            return CommandError(f"{text}. Is the cluster there, and is this the right context?", passing=True)
        case GoneError():
            return CommandError(
                f"{text}. If no kind of agentrollouts.io is known here, install the chart first: see docs/install.md"
            )
        case _:
            return CommandError(text)


def _refused(text: str) -> str:
    """A policy's own words without what surrounds them; for RBAC, who needs which verb."""
    if denied := _DENIED.search(text):
        return denied["why"].strip()
    if found := _FORBIDDEN.search(text):
        where = f"in namespace {found['namespace']}" if found["namespace"] else "in all namespaces"
        kind = f"{found['resource']}.{found['group']}" if found["group"] else found["resource"]
        return (
            f"{found['user']} may not {found['verb']} {kind} {where}; ask for the RBAC verb {found['verb']} on it"
            f"{_role_hint(found['verb'], found['resource'])}"
        )
    return text


def _role_hint(verb: str, resource: str) -> str:
    if verb in ("get", "list", "watch"):
        return " (the ClusterRole view has it)"
    if resource == "approvalgates":
        return " (the ClusterRole agent-rollouts-approver has it)"
    return " (the ClusterRole edit has it)"
