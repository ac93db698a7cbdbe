"""The node's link, the pods' way out, and what other programs leave in the machine's packet filter for us."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from hack.cluster.commands import attempt, run_logged
from hack.cluster.errors import CommandError
from hack.cluster.native.configuration import nft_rules
from hack.cluster.native.layout import BRIDGE, CNI_NETWORK, NFT_TABLE, NODE_ADDRESS, NODE_PREFIX, POD_RANGE
from hack.cluster.packages import find_program

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
KUBE_PROXY_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
OWN_TABLES = (*KUBE_PROXY_TABLES, ("ip", NFT_TABLE))
_FILTERS = ("iptables", "ip6tables")
_HOSTPORT_CHAINS = ("CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ")


def create(*, log: Path) -> None:
    """Make the link with the node's address and let pods' packets out."""
    ip, nft = _program("ip"), _program("nft")
    if not link_exists():
        run_logged([ip, "link", "add", BRIDGE, "type", "bridge"], log=log)
    run_logged([ip, "address", "replace", f"{NODE_ADDRESS}/{NODE_PREFIX}", "dev", BRIDGE], log=log)
    run_logged([ip, "link", "set", BRIDGE, "up"], log=log)
    FORWARDING.write_text("1", encoding="utf-8")
    run_logged([nft, "-f", "-"], log=log, stdin=nft_rules(NFT_TABLE))


def link_exists() -> bool:
    """Whether the node's link is there."""
    return attempt([_program("ip"), "link", "show", "dev", BRIDGE]).returncode == 0


def pod_links() -> list[str]:
    """Links of pods: those over which the machine reaches an address of our pod range."""
    answer = attempt([_program("ip"), "-json", "route", "show", "root", POD_RANGE])
    routes = json.loads(answer.stdout or "[]") if answer.returncode == 0 else []
    return sorted({str(route["dev"]) for route in routes if "dev" in route})


def existing_tables() -> list[tuple[str, str]]:
    """Those of our nft tables that exist: family and name."""
    return [table for table in OWN_TABLES if table in _tables()]


def _tables() -> list[tuple[str, ...]]:
    nft = find_program("nft")
    listing = attempt([nft, "list", "tables"]).stdout if nft else ""
    return [tuple(line.split()[1:3]) for line in listing.splitlines() if line.startswith("table ")]


def remember(before: Path) -> None:
    """Write down what of the machine's network we may change and somebody else may have made."""
    facts = {
        "forwarding": FORWARDING.read_text(encoding="utf-8").strip(),
        "tables": [list(table) for table in _tables()],
        "hostport_chains": any(f":{_HOSTPORT_CHAINS[0]} " in _nat_rules(program) for program in _FILTERS),
    }
    before.write_text(json.dumps(facts), encoding="utf-8")


def _delete_link(link: str, *, log: Path) -> None:
    """Delete a link. A pod's goes by itself with its network namespace, perhaps just now: then it is gone, as it should be."""
    try:
        run_logged([_program("ip"), "link", "delete", link], log=log)
    except CommandError:
        if attempt([_program("ip"), "link", "show", "dev", link]).returncode == 0:
            raise


def remove(before: Path, *, log: Path) -> None:
    """Remove links, nft tables and host port rules of ours, and put back what `remember` wrote down."""
    if find_program("ip") is None:
        return
    for link in [*pod_links(), *([BRIDGE] if link_exists() else [])]:
        _delete_link(link, log=log)
    for family, name in existing_tables():
        run_logged([_program("nft"), "delete", "table", family, name], log=log)
    facts = json.loads(before.read_text(encoding="utf-8")) if before.exists() else {}
    for program in _FILTERS:
        shared = facts.get("hostport_chains") is False
        for command in portmap_removals(_nat_rules(program), shared_too=shared):
            run_logged([_program(program), "-w", "5", "-t", "nat", *command], log=log)
    if facts:
        _remove_empty_tables([tuple(table) for table in facts["tables"]], log=log)
        FORWARDING.write_text(facts["forwarding"], encoding="utf-8")


def _remove_empty_tables(before: Sequence[tuple[str, ...]], *, log: Path) -> None:
    """Tables that iptables made and left behind without a rule go, where they were not there before."""
    for family in ("ip", "ip6"):
        for name in ("nat", "filter", "mangle"):
            if (family, name) in _tables() and (family, name) not in before:
                listing = attempt([_program("nft"), "list", "table", family, name]).stdout
                if is_empty_table(listing):
                    run_logged([_program("nft"), "delete", "table", family, name], log=log)


def is_empty_table(listing: str) -> bool:
    """Whether `nft list table` shows nothing but base chains that accept everything."""
    lines = [line.strip() for line in listing.splitlines()]
    plain = re.compile(r"(table|chain) .*\{|\}|type .* policy accept;|#.*|")
    return all(plain.fullmatch(line) for line in lines)


def portmap_leftovers() -> list[str]:
    """Rules for pods of our network in the machine's nat table."""
    rules = [line for program in _FILTERS for line in _nat_rules(program).splitlines()]
    return [line for line in rules if _is_ours(line)]


def _nat_rules(program: str) -> str:
    """What `iptables-save` shows of the nat table; nothing where there is none.

    An iptables that works through nftables is asked only where its table exists: asking would make it.
    """
    found = find_program(f"{program}-save")
    if found is None:
        return ""
    through_nftables = "nf_tables" in attempt([found, "--version"]).stdout
    if through_nftables and ("ip" if program == "iptables" else "ip6", "nat") not in _tables():
        return ""
    return attempt([found, "-t", "nat"]).stdout


def _is_ours(rule: str) -> bool:
    return f'name: \\"{CNI_NETWORK}\\"' in rule


def portmap_removals(saved: str, *, shared_too: bool) -> list[list[str]]:
    """The iptables arguments that remove our pods' host ports, given what `iptables-save -t nat` printed.

    The portmap plugin writes the network's name into the rule that jumps to a pod's chain; chains without
    such a rule belong to other networks and stay. The chains that all networks share go only with
    `shared_too` (they were not there before us) and where no rule of another network is left in them.
    """
    rules = [line for line in saved.splitlines() if line.startswith("-A ")]
    jumps = [rule for rule in rules if _is_ours(rule)]
    own = sorted({found.group(1) for rule in jumps if (found := re.search(r"-j (CNI-DN-\S+)", rule))})
    removals = [["-D", *_arguments(rule)[1:]] for rule in jumps]
    removals += [[flag, chain] for chain in own for flag in ("-F", "-X")]
    left = [rule for rule in rules if rule not in jumps and rule.split()[1] not in own]
    shared = [chain for chain in _HOSTPORT_CHAINS if f":{chain} " in saved]
    if shared_too and not any(rule.startswith(f"-A {_HOSTPORT_CHAINS[0]} ") for rule in left):
        entering = [rule for rule in left if re.search(r"-j CNI-HOSTPORT-", rule)]
        removals += [["-D", *_arguments(rule)[1:]] for rule in entering]
        removals += [["-F", chain] for chain in shared] + [["-X", chain] for chain in shared]
    return removals


def _arguments(rule: str) -> Sequence[str]:
    """A saved rule as arguments: quoted comments are one argument, with their inner quotes kept."""
    parts = re.findall(r'"(?:\\.|[^"\\])*"|\S+', rule)
    return [re.sub(r"\\(.)", r"\1", part[1:-1]) if part.startswith('"') else part for part in parts]


def _program(name: str) -> str:
    return find_program(name) or name
