from pathlib import Path

import pytest

from hack.cluster.choice import Findings, choose, forget, provider_of, refuse_second, remember
from hack.cluster.errors import ClusterError, NoProviderError
from hack.cluster.settings import read_settings


def findings(*, engine: str | None = None, system: str = "Linux", root: bool = True) -> Findings:
    return Findings(engine=engine, system=system, root=root)


@pytest.mark.parametrize(
    ("asked", "found", "expected"),
    [
        ("auto", findings(engine="docker", root=False), "kind"),
        ("auto", findings(engine="podman", system="Darwin", root=False), "kind"),
        ("auto", findings(), "native"),
        ("native", findings(engine="docker"), "native"),
        ("kind", findings(engine="docker"), "kind"),
        ("existing", findings(system="Darwin", root=False), "existing"),
        ("existing", findings(engine="docker"), "existing"),
    ],
)
def test_the_provider_follows_from_what_was_asked_and_found(
    asked: str, found: Findings, expected: str
) -> None:
    assert choose(asked, found) == expected


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("auto", findings(root=False)),
        ("auto", findings(system="Darwin")),
        ("kind", findings()),
        ("native", findings(engine="docker", root=False)),
        ("native", findings(engine="docker", system="Darwin")),
    ],
)
def test_where_nothing_can_work_the_message_says_what_was_found_and_what_to_do(
    asked: str, found: Findings
) -> None:
    with pytest.raises(NoProviderError) as raised:
        choose(asked, found)
    text = str(raised.value)
    assert found.describe() in text
    assert "start docker or podman" in text
    assert "run as root" in text
    assert "CLUSTER=existing" in text


def test_an_existing_cluster_is_never_chosen_by_itself() -> None:
    assert {choose("auto", findings(engine=engine)) for engine in (None, "docker")} == {"kind", "native"}


def test_an_unknown_name_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ClusterError, match="auto, kind, native, existing"):
        choose("minikube", findings(engine="docker"))


def test_the_cluster_that_is_up_is_found_again_whatever_was_started_meanwhile(tmp_path: Path) -> None:
    settings = read_settings({"AGENT_ROLLOUTS_STATE": str(tmp_path)})
    assert provider_of(settings, findings(engine="docker")).name == "kind"
    remember(settings, "native")
    assert provider_of(settings, findings(engine="docker")).name == "native"
    asked = read_settings({"AGENT_ROLLOUTS_STATE": str(tmp_path), "CLUSTER": "kind"})
    assert provider_of(asked, findings(engine="docker")).name == "kind"
    forget(settings)
    assert provider_of(settings, findings(engine="docker")).name == "kind"


def test_a_second_cluster_of_another_kind_is_refused(tmp_path: Path) -> None:
    settings = read_settings({"AGENT_ROLLOUTS_STATE": str(tmp_path)})
    refuse_second(settings, "kind")
    remember(settings, "native")
    refuse_second(settings, "native")
    refuse_second(settings, "existing")
    with pytest.raises(ClusterError, match="make cluster-down CLUSTER=native"):
        refuse_second(settings, "kind")
