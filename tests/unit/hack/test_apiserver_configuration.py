from pathlib import Path

from hack.apiserver import configuration
from hack.apiserver.configuration import Ports

PORTS = Ports(etcd_client=1, etcd_peer=2, api=3, controllers=4)
FOLDER = Path("/somewhere")


def test_everything_listens_on_the_loopback_address_and_lies_in_the_folder() -> None:
    words = [
        *configuration.etcd_arguments(FOLDER, PORTS),
        *configuration.apiserver_arguments(FOLDER, PORTS, service_accounts=True),
        *configuration.controller_arguments(FOLDER, PORTS),
    ]
    addresses = [word for word in words if "listen" in word or "bind-address" in word]
    assert addresses
    assert all("127.0.0.1" in word for word in addresses)
    files = [word for word in words if any(kind in word for kind in ("file=", "dir=", "kubeconfig="))]
    assert all(f"={FOLDER}/" in word for word in files)


def test_service_accounts_are_demanded_only_where_somebody_makes_them() -> None:
    without = configuration.apiserver_arguments(FOLDER, PORTS, service_accounts=False)
    assert "--disable-admission-plugins=ServiceAccount" in without
    with_controllers = configuration.apiserver_arguments(FOLDER, PORTS, service_accounts=True)
    assert not [word for word in with_controllers if "disable-admission" in word]
    assert "--authorization-mode=RBAC" in with_controllers
