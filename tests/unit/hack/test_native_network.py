from hack.cluster.native.network import is_empty_table, portmap_removals

OURS = (
    '-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"agent-rollouts\\" id: \\"aa\\"" '
    "-m multiport --dports 4099 -j CNI-DN-03e4"
)
FOREIGN = (
    '-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"podman\\" id: \\"bb\\"" '
    "-m multiport --dports 8080 -j CNI-DN-beef"
)
SHARED = """*nat
:PREROUTING ACCEPT [0:0]
:CNI-DN-03e4 - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-HOSTPORT-MASQ - [0:0]
:CNI-HOSTPORT-SETMARK - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
-A CNI-DN-03e4 -p tcp -m tcp --dport 4099 -j DNAT --to-destination 10.201.0.2:99
"""


def test_the_chain_of_our_pod_goes_with_the_rule_that_jumps_to_it() -> None:
    removals = portmap_removals(f"{SHARED}{OURS}\nCOMMIT\n", shared_too=False)
    assert removals[0][:2] == ["-D", "CNI-HOSTPORT-DNAT"]
    assert 'dnat name: "agent-rollouts" id: "aa"' in removals[0]
    assert removals[1:] == [["-F", "CNI-DN-03e4"], ["-X", "CNI-DN-03e4"]]


def test_another_networks_rules_and_the_shared_chains_they_use_stay() -> None:
    removals = portmap_removals(f"{SHARED}{OURS}\n{FOREIGN}\nCOMMIT\n", shared_too=True)
    touched = " ".join(word for command in removals for word in command)
    assert "beef" not in touched
    assert ["-X", "CNI-HOSTPORT-DNAT"] not in removals
    assert ["-X", "CNI-DN-03e4"] in removals


def test_shared_chains_we_brought_go_also_after_the_last_pod() -> None:
    removals = portmap_removals(SHARED.replace("-A CNI-DN-03e4", "#"), shared_too=True)
    assert [
        "-D",
        "PREROUTING",
        "-m",
        "addrtype",
        "--dst-type",
        "LOCAL",
        "-j",
        "CNI-HOSTPORT-DNAT",
    ] in removals
    assert [command[1] for command in removals if command[0] == "-X"] == [
        "CNI-HOSTPORT-DNAT",
        "CNI-HOSTPORT-SETMARK",
        "CNI-HOSTPORT-MASQ",
    ]


def test_shared_chains_that_were_there_before_stay() -> None:
    assert portmap_removals(SHARED, shared_too=False) == []


def test_nothing_is_removed_where_there_is_nothing() -> None:
    assert portmap_removals("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n", shared_too=True) == []


def test_a_table_with_only_accepting_base_chains_is_empty() -> None:
    chain = "\tchain OUTPUT {\n\t\ttype nat hook output priority dstnat; policy accept;\n\t}\n"
    assert is_empty_table(f"# Warning: managed by iptables-nft\ntable ip nat {{\n{chain}}}\n")
    assert not is_empty_table(f"table ip nat {{\n{chain.replace('accept', 'drop')}}}\n")
    assert not is_empty_table("table ip nat {\n\tchain x {\n\t\tip saddr 10.0.0.1 masquerade\n\t}\n}\n")
